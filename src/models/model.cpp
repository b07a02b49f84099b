#include "statera/model.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <mutex>
#include <set>
#include <utility>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "core/input_file.hpp"
#include "core/machine.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "io/safetensors.hpp"
#include "models/language_model.hpp"
#include "models/config_format.hpp"
#include "models/model_files.hpp"
#include "nn/bound_parameter.hpp"

namespace statera {

struct Model::Impl {
  ModelConfig config;
  Device device;
  DType dtype;
  WeightFormat weights;
  std::shared_ptr<const Units> units;
  std::unique_ptr<LanguageModel> layers;
  std::vector<Parameter*> parameters;
  std::mutex fingerprint_lock;  // sessions over one model may run in several threads
  uint64_t fingerprint = 0;
  // the context for which `fingerprint` holds, and the sum of all parameters' versions
  int64_t fingerprint_context = -1;
  uint64_t fingerprint_versions = 0;

  WeightFormat format(const Parameter& p) const { return format_for(p, weights); }
  bool quantised(const Parameter& p) const { return format(p) != WeightFormat::f32; }
  double bytes() const {
    double total = 0;
    for (const Parameter* p : parameters) total += stored_bytes(*p, weights, dtype);
    return total;
  }
  // Throws ErrorCode::device unless there is memory for all quantised parameters, none of which is there yet, and
  // beside them for `bytes` of the floats that the parameter `p` is made from.
  void require_floats(double bytes, const Parameter& p, const char* fix) const {
    for (const Parameter* each : parameters)
      if (quantised(*each)) bytes += stored_bytes(*each, weights, dtype);
    require_memory(bytes, "the model, while " + p.name + " is made from floats,", fix);
  }
};

namespace {
struct Collect : ParameterVisitor {
  std::vector<Parameter*>& all;
  explicit Collect(std::vector<Parameter*>& all) : all(all) {}
  void visit(Parameter& parameter) override { all.push_back(&parameter); }
};

// The name of a quantised matrix's scales in a file. Its values have the name of the parameter.
std::string scales_name(const Parameter& p) { return p.name + ".scales"; }

// The tensors of a file that make up one parameter. They have been checked but not read.
struct SavedParameter {
  const FileTensor *values, *scales;  // scales: null unless the values are integers
};

// Throws ErrorCode::unsupported for a table in f32 among weights in int8 or int4: earlier versions saved it so.
void refuse_table_in_floats(const SafetensorsFile& file, const Parameter& p, WeightFormat saved) {
  const FileTensor* found = p.by_rows && !file.find(scales_name(p)) ? file.find(p.name) : nullptr;
  require(!found || found->dtype != DType::f32 || found->shape != p.shape, ErrorCode::unsupported, file.path(), ": ",
          p.name, ": is in f32, as earlier versions stored it beside weights in ", name_of(saved),
          "; run `statera convert` again on the f32 folder that this one was made from");
}

// One entry per parameter, for weights stored in `saved`. Every tensor of the file must belong to one. Throws
// ErrorCode::io and ErrorCode::unsupported.
std::vector<SavedParameter> match_tensors(const SafetensorsFile& file, WeightFormat saved,
                                          std::span<Parameter* const> parameters) {
  std::set<std::string_view> known;
  const auto take = [&](const std::string& name, const Shape& shape) {
    const FileTensor* found = file.find(name);
    require(found, ErrorCode::io, file.path(), ": ", name, ": missing, though config.json asks for it");
    require(found->shape == shape, ErrorCode::io, file.path(), ": ", name, ": shape ", found->shape,
            ", but config.json asks for ", shape);
    known.insert(found->name);
    return found;
  };
  const auto take_as = [&](const std::string& name, const Shape& shape, DType wanted) {
    const FileTensor* found = take(name, shape);
    require(found->dtype == wanted, ErrorCode::io, file.path(), ": ", name, ": dtype ", name_of(found->dtype),
            "; expected ", name_of(wanted), " of weights in ", name_of(saved));
    return found;
  };
  std::vector<SavedParameter> all;
  for (const Parameter* p : parameters) {
    if (const WeightFormat format = format_for(*p, saved); format != WeightFormat::f32) {
      refuse_table_in_floats(file, *p, saved);
      const FileTensor* values =
          take_as(p->name, QuantisedMatrix::values_shape(format, p->shape), QuantisedMatrix::values_dtype(format));
      all.push_back({values, take_as(scales_name(*p), QuantisedMatrix::scales_shape(p->shape), DType::f32)});
      continue;
    }
    const FileTensor* values = take(p->name, p->shape);
    require(values->dtype == DType::f32 || values->dtype == DType::f64, ErrorCode::unsupported, file.path(), ": ",
            p->name, ": dtype ", name_of(values->dtype), "; expected f32 or f64");
    all.push_back({values, nullptr});
  }
  for (const FileTensor& tensor : file.tensors())
    require(known.contains(tensor.name), ErrorCode::io, file.path(), ": ", tensor.name,
            ": unexpected; config.json has no such parameter");
  return all;
}

// The parameter that takes most memory while its floats are read, and how much; null if there are none to read.
std::pair<const Parameter*, double> most_floats(std::span<const SavedParameter> saved,
                                                std::span<Parameter* const> parameters, WeightFormat weights) {
  std::pair<const Parameter*, double> most{nullptr, 0};
  for (size_t i = 0; i < saved.size(); ++i) {
    if (saved[i].scales) continue;  // it is kept as it is read
    double bytes = static_cast<double>(saved[i].values->bytes());
    // what is quantised is rounded to f32 first
    if (saved[i].values->dtype == DType::f64 && format_for(*parameters[i], weights) != WeightFormat::f32) bytes *= 1.5;
    if (bytes > most.second) most = {parameters[i], bytes};
  }
  return most;
}

constexpr const char *format_1 = "statera", *format = "statera 2";  // with a checksum

// Throws ErrorCode::io if a file of ours is damaged, ErrorCode::config for an unknown format of ours. The metadata of
// files by other programs may say anything.
SafetensorsFile open_weights(const std::string& folder, SafetensorsFile::Check check = SafetensorsFile::Check::all) {
  SafetensorsFile file = SafetensorsFile::open(
      folder + "/model.safetensors", check,
      " (where another program changed it on purpose, leave 'statera_checksum' and 'format' out of its metadata)");
  const auto found = file.metadata().find("format");
  if (found == file.metadata().end() || !found->second.starts_with(format_1) || found->second == format_1) return file;
  require(found->second == format, ErrorCode::config, "format ", in_quotes(found->second),
          " is not known to this version of statera, which reads up to '", format, "' (", file.path(), ")");
  file.require_checksum();
  return file;
}

// The weights name the config that they belong to, since other configs with the same shapes would load and compute
// something else. White space and the order of keys do not matter.
constexpr const char* config_key = "config_fingerprint";
std::string config_fingerprint(const JsonText& config) {
  const std::string plain = parse_json(config.text, config.where).dump();
  Checksum sum;
  sum.add(plain.data(), plain.size());
  return fingerprint_text(sum.value());
}

// Throws ErrorCode::io if the weights were saved with another config than the one in the folder.
void check_config(const SafetensorsFile& file, const JsonText& config) {
  const auto saved_with = file.metadata().find(config_key);
  require(saved_with == file.metadata().end() || saved_with->second == config_fingerprint(config), ErrorCode::io,
          config.where,
          ": is not the config that the weights beside it were saved with; put that one back, or try again if the "
          "model is being written just now");
}

// The weights of a model over tokens name the tokenizer.json that they belong to.
constexpr const char *tokenizer_key = "tokenizer_fingerprint", *tokenizer_name = "tokenizer.json";
std::string file_fingerprint(const std::string& text) {
  Checksum sum;
  sum.add(text.data(), text.size());
  return fingerprint_text(sum.value());
}

// The tokenizer.json that the weights name; empty if they name none. Throws ErrorCode::io if it is missing or another.
std::string tokenizer_of(const SafetensorsFile& file, const std::string& folder) {
  const auto saved_with = file.metadata().find(tokenizer_key);
  if (saved_with == file.metadata().end()) return {};
  constexpr size_t most = size_t{1} << 30;
  const std::string path = folder + "/" + tokenizer_name;
  std::error_code ignored;
  require(std::filesystem::exists(path, ignored), ErrorCode::io, path,
          ": is missing, and the weights beside it are of a model that reads its tokens; put it back");
  std::string text = InputFile::open(path).text(most);
  require(saved_with->second == file_fingerprint(text), ErrorCode::io, path,
          ": is not the tokenizer that the weights beside it were saved with; put that one back");
  return text;
}

// Whether the weights in the folder are of a model over tokens, whose tokenizer.json goes with them.
bool names_tokenizer(const std::string& folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder + "model.safetensors", ignored)) return false;
  try {
    const SafetensorsFile file = SafetensorsFile::open(folder + "model.safetensors", SafetensorsFile::Check::header);
    return file.metadata().contains(tokenizer_key);
  } catch (const Error&) {  // damaged; it is about to be replaced
    return false;
  }
}

WeightFormat format_of(const SafetensorsFile& file) {
  const auto found = file.metadata().find("weights");
  return found == file.metadata().end() ? WeightFormat::f32 : weight_format(found->second, file.path());
}
}  // namespace

Model::Model(ModelConfig config, Device device, ModelOptions options)
    : impl_(new Impl{std::move(config),
                     std::move(device),
                     options.dtype,
                     options.weights.value_or(WeightFormat::f32),
                     nullptr,
                     nullptr,
                     {},
                     {}}) {
  require(weights() == WeightFormat::f32 || !options.training, ErrorCode::unsupported, "weights in ",
          name_of(weights()), " are for inference alone; train in f32 and make them when the model is loaded");
  require(weights() == WeightFormat::f32 || options.dtype == DType::f32, ErrorCode::unsupported, "weights in ",
          name_of(weights()), " are for models in f32, not ", name_of(options.dtype));
  const int64_t ids = impl_->config.vocab_size;
  impl_->units = ids == byte_units()->size() ? byte_units() : unknown_units(ids);
  impl_->layers = std::make_unique<LanguageModel>(impl_->config);
  Collect collect(impl_->parameters);
  impl_->layers->visit_parameters(collect);
  const double bytes = impl_->bytes() * (options.training ? 2 : 1);
  require_memory(bytes, options.training ? "the model with its gradients" : "the model",
                 "take a smaller one: less d_model, d_ff or layers");
  for (Parameter* p : impl_->parameters)
    if (!impl_->quantised(*p)) p->allocate(options.dtype, options.training);
}

void Model::init(uint64_t seed) {
  const auto floats = [](const Parameter* p) { return stored_bytes(*p, WeightFormat::f32, DType::f32); };
  const Parameter* largest = nullptr;
  for (const Parameter* p : impl_->parameters)
    if (impl_->quantised(*p) && (!largest || floats(p) > floats(largest))) largest = p;
  if (largest) impl_->require_floats(floats(largest), *largest, "close other programs, or take a smaller model");
  for (Parameter* p : impl_->parameters) {
    if (impl_->quantised(*p)) p->value = Tensor(DType::f32, p->shape);
    p->initialise(seed);
    if (!impl_->quantised(*p)) continue;
    store_of(*p)->quantise(pool_of(impl_->device), p->value, impl_->format(*p));
    p->value = Tensor();
  }
  if (weights() != WeightFormat::f32) modules_of(*this).output().quantise_tied(pool_of(impl_->device));
}

Model Model::load(const std::string& folder, Device device, ModelOptions options) {
  std::error_code ignored;
  require(std::filesystem::is_directory(folder, ignored), ErrorCode::io, "'", folder,
          "' is not a model folder (one with config.json and model.safetensors, as `statera train --out` writes it)");
  const JsonText text = read_own_config(folder);
  ModelConfig config = ModelConfig::parse(text.text, text.where);
  const SafetensorsFile file = open_weights(folder);
  const WeightFormat saved = format_of(file), wanted = options.weights.value_or(saved);
  require(
      saved == WeightFormat::f32 || (saved == wanted && !options.training), ErrorCode::unsupported, "'", folder,
      "' holds weights in ", name_of(saved),
      ", for inference as they are; to train, or for weights in another format, take the folder that it was made from");
  options.weights = wanted;
  Model model(std::move(config), std::move(device), options);
  ThreadPool& pool = pool_of(model.device());
  const std::vector<Parameter*>& parameters = model.impl_->parameters;
  const std::vector<SavedParameter> tensors = match_tensors(file, saved, parameters);
  check_config(file, text);
  if (std::string tokenizer = tokenizer_of(file, folder); !tokenizer.empty())
    model.set_units(options.tokenizer ? options.tokenizer(std::move(tokenizer), folder + "/" + tokenizer_name)
                                      : unknown_units(model.config().vocab_size, std::move(tokenizer)));
  if (const auto [p, bytes] = most_floats(tensors, parameters, wanted); p)
    model.impl_->require_floats(bytes, *p,
                                format_for(*p, wanted) == WeightFormat::f32
                                    ? "close other programs"
                                    : "run `statera convert` where more is free, and take the folder that it makes");
  for (size_t i = 0; i < parameters.size(); ++i) {
    Parameter& p = *parameters[i];
    const auto& [values, scales] = tensors[i];
    if (scales) {
      store_of(p)->take(pool, {model.impl_->format(p), file.read(*values), file.read_finite(*scales)}, p.shape[1]);
      continue;
    }
    Tensor read = file.read_finite(*values);
    if (!model.impl_->quantised(p)) {
      copy(read, p.value);
      p.changed();
      continue;
    }
    if (read.dtype() != DType::f32) {
      Tensor rounded(DType::f32, p.shape);
      copy(read, rounded);
      read = std::move(rounded);
    }
    store_of(p)->quantise(pool, read, model.impl_->format(p));
  }
  if (wanted != WeightFormat::f32) modules_of(model).output().quantise_tied(pool);
  return model;
}

WeightFormat Model::saved_weights(const std::string& folder) { return format_of(open_weights(folder)); }

WeightsHeader read_weights_header(const std::string& folder, LanguageModel& layers) {
  const SafetensorsFile file = open_weights(folder, SafetensorsFile::Check::header);
  std::vector<Parameter*> parameters;
  Collect collect(parameters);
  layers.visit_parameters(collect);
  WeightsHeader header{.weights = format_of(file), .tokenizer = !tokenizer_of(file, folder).empty()};
  match_tensors(file, header.weights, parameters);
  check_config(file, read_config(folder));
  if (const auto found = file.metadata().find("format");
      found != file.metadata().end() && found->second.starts_with(format_1))
    header.format = found->second;
  for (const FileTensor& tensor : file.tensors()) {
    ++header.types[std::string(name_of(tensor.dtype))];
    ++header.tensors;
    header.bytes += static_cast<int64_t>(tensor.bytes());
  }
  return header;
}

namespace {
// All parameters by name, as they are stored in a file. `unpacked` owns what is not in memory in that form.
std::vector<NamedView> named_tensors(const Model& model, std::vector<Tensor>& unpacked) {
  std::vector<NamedView> tensors;
  for (const Parameter* p : model.parameters()) {
    if (format_for(*p, model.weights()) == WeightFormat::f32) {
      tensors.push_back({p->name, p->value});
      continue;
    }
    const QuantisedMatrix m = store_of(*p)->saved(unpacked);
    tensors.push_back({p->name, m.values});
    tensors.push_back({scales_name(*p), m.scales});
  }
  return tensors;
}
}  // namespace

OutputFiles model_files() {
  return {.names = {"config.json", "model.safetensors", tokenizer_name}, .known_by = {"model.safetensors"}, .link = {}};
}

void Model::save(const std::string& folder, bool overwrite) const {
  OutputFolder claimed(folder, model_files(), overwrite ? Earlier::replaced : Earlier::refused);
  write_model(*this, claimed);
  claimed.check_place();
}

void write_model(const Model& model, OutputFolder& folder, const std::string& below) {
  std::vector<Tensor> unpacked;
  const std::vector<NamedView> tensors = named_tensors(model, unpacked);
  const std::string config_text = model.config().json();
  const bool had_tokenizer = names_tokenizer(folder.path() + "/" + below);
  std::map<std::string, std::string> metadata = {{"format", format},
                                                 {config_key, config_fingerprint({config_text, "config.json"})}};
  if (model.weights() != WeightFormat::f32) metadata["weights"] = name_of(model.weights());
  const std::string& tokenizer = model.units()->file();
  if (!tokenizer.empty()) metadata[tokenizer_key] = file_fingerprint(tokenizer);
  AtomicFile weights(folder.at(below + "model.safetensors")), config(folder.at(below + "config.json"));
  std::optional<AtomicFile> units;
  if (!tokenizer.empty()) units.emplace(folder.at(below + tokenizer_name));
  write_with_checksum(weights, tensors, metadata);
  config.write(config_text);
  if (units) units->write(tokenizer);
  for (AtomicFile* file : {&weights, &config, units ? &*units : nullptr})
    if (file) file->sync();
  weights.commit();
  config.commit();
  if (units)
    units->commit();
  else if (had_tokenizer)
    folder.remove(below + tokenizer_name);
}

uint64_t Model::fingerprint() const {
  Impl& m = *impl_;
  const std::lock_guard lock(m.fingerprint_lock);
  uint64_t versions = 0;
  for (const Parameter* p : m.parameters) versions += p->version;
  if (m.fingerprint_context == m.config.context && m.fingerprint_versions == versions) return m.fingerprint;
  uint64_t hash = 0;
  const auto add = [&hash](const void* data, size_t bytes) {
    hash = mix_fingerprint(mix_fingerprint(hash, uint64_t{bytes}), {static_cast<const uint8_t*>(data), bytes});
  };
  const std::string config = fingerprinted_json(m.config);
  add(config.data(), config.size());
  std::vector<Tensor> unpacked;
  for (const NamedView& tensor : named_tensors(*this, unpacked)) {
    add(tensor.name.data(), tensor.name.size());
    add(tensor.view.data, tensor.view.bytes());
  }
  m.fingerprint = hash;
  m.fingerprint_context = m.config.context;
  m.fingerprint_versions = versions;
  return m.fingerprint;
}

Var Model::forward(Tape& tape, const Tokens& tokens, const ForwardOptions& options) const {
  return impl_->layers->forward(tape, tokens.ids, Rows{tokens.offsets, tokens.start}, options);
}

const ModelConfig& Model::config() const { return impl_->config; }
void Model::set_context(int64_t positions) { impl_->config.context = positions; }
const std::shared_ptr<const Units>& Model::units() const { return impl_->units; }
bool Model::reads_bytes() const { return impl_->units == byte_units(); }
void Model::set_units(std::shared_ptr<const Units> units) {
  require(units && units->size() == impl_->config.vocab_size, ErrorCode::config, units ? units->name() : "no units",
          ": has ", units ? units->size() : 0, " ids, but the model reads ", impl_->config.vocab_size,
          "; give it the tokenizer that it was trained with");
  impl_->units = std::move(units);
}
const Device& Model::device() const { return impl_->device; }
DType Model::dtype() const { return impl_->dtype; }
WeightFormat Model::weights() const { return impl_->weights; }
double Model::weight_bytes() const { return impl_->bytes(); }
std::vector<Parameter*> Model::parameters() const { return impl_->parameters; }
LanguageModel& modules_of(const Model& model) { return *model.impl_->layers; }

int64_t Model::parameter_count() const {
  int64_t total = 0;
  for (const Parameter* p : impl_->parameters) total += p->elements();
  return total;
}

}  // namespace statera
