#include "statera/model.hpp"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <set>

#include "core/check.hpp"
#include "io/atomic_file.hpp"
#include "io/safetensors.hpp"
#include "models/language_model.hpp"

namespace statera {

struct Model::Impl {
  ModelConfig config;
  Device device;
  DType dtype;
  std::unique_ptr<LanguageModel> layers;
  std::vector<Parameter*> parameters;
};

namespace {
struct Collect : ParameterVisitor {
  std::vector<Parameter*>& all;
  explicit Collect(std::vector<Parameter*>& all) : all(all) {}
  void visit(Parameter& parameter) override { all.push_back(&parameter); }
};

double machine_bytes() { return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGE_SIZE)); }

void check_size(const std::vector<Parameter*>& parameters, DType dtype, bool training) {
  double elements = 0;
  for (const Parameter* p : parameters) {
    double n = 1;
    for (int64_t dim : p->shape) n *= static_cast<double>(dim);
    elements += n;
  }
  const double bytes = elements * static_cast<double>(size_of(dtype)) * (training ? 2 : 1);
  require(bytes <= machine_bytes(), ErrorCode::device, "the config has ", elements, " parameters: ", std::ceil(bytes / 1e9),
          " GB, more than the ", std::floor(machine_bytes() / 1e9), " GB of this machine; take a smaller d_model, d_ff or layers");
}

void check_finite(const View& v, const std::string& where) {
  const auto finite = [](const auto* p, int64_t n) {
    for (int64_t i = 0; i < n; ++i)
      if (!std::isfinite(p[i])) return false;
    return true;
  };
  const bool good = v.dtype == DType::f64 ? finite(v.as<double>(), v.elements()) : finite(v.as<float>(), v.elements());
  require(good, ErrorCode::io, where, ": holds a value that is not finite; the file is damaged or its training diverged");
}
}  // namespace

Model::Model(ModelConfig config, Device device, ModelOptions options)
    : impl_(new Impl{std::move(config), std::move(device), options.dtype, nullptr, {}}) {
  impl_->layers = std::make_unique<LanguageModel>(impl_->config);
  Collect collect(impl_->parameters);
  impl_->layers->visit_parameters(collect);
  check_size(impl_->parameters, options.dtype, options.training);
  for (Parameter* p : impl_->parameters) p->allocate(options.dtype, options.training);
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;

void Model::init(uint64_t seed) {
  for (Parameter* p : impl_->parameters) p->initialise(seed);
}

Model Model::load(const std::string& folder, Device device, ModelOptions options) {
  std::error_code ignored;
  require(std::filesystem::is_directory(folder, ignored), ErrorCode::io, "'", folder,
          "' is not a model folder (one with config.json and model.safetensors, as `statera train --out` writes it)");
  Model model(ModelConfig::load(folder), std::move(device), options);
  const std::string path = folder + "/model.safetensors";
  const SafetensorsFile file = SafetensorsFile::open(path);
  std::set<std::string> known;
  for (Parameter* p : model.impl_->parameters) {
    const std::string where = path + ": " + p->name;
    const View* found = file.find(p->name);
    require(found, ErrorCode::io, where, ": missing, though config.json asks for it");
    const View& from = *found;
    require(from.shape == p->shape, ErrorCode::io, where, ": shape ", from.shape, ", but config.json asks for ", p->shape);
    require(from.dtype == DType::f32 || from.dtype == DType::f64, ErrorCode::unsupported, where, ": dtype ", name_of(from.dtype),
            "; expected f32 or f64");
    copy(from, p->value);
    check_finite(p->value, where);
    p->changed();
    known.insert(p->name);
  }
  for (const NamedView& tensor : file.tensors())
    require(known.count(tensor.name), ErrorCode::io, path, ": ", tensor.name, ": unexpected; config.json has no such parameter");
  return model;
}

void Model::save(const std::string& folder) const {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error, ErrorCode::io, "cannot make the folder ", folder, ": ", error.message());
  std::vector<NamedView> tensors;
  for (const Parameter* p : impl_->parameters) tensors.push_back({p->name, p->value});
  write_safetensors(folder + "/model.safetensors", tensors, {{"format", "statera"}});
  write_file(folder + "/config.json", impl_->config.json());
}

Var Model::forward(Tape& tape, const Tokens& tokens, const ForwardOptions& options) const {
  return impl_->layers->forward(tape, tokens.ids, Rows{tokens.offsets, tokens.start}, options);
}

const ModelConfig& Model::config() const { return impl_->config; }
void Model::set_context(int64_t positions) { impl_->config.context = positions; }
const Device& Model::device() const { return impl_->device; }
DType Model::dtype() const { return impl_->dtype; }
std::vector<Parameter*> Model::parameters() const { return impl_->parameters; }
LanguageModel& Model::layers() const { return *impl_->layers; }

int64_t Model::parameter_count() const {
  int64_t total = 0;
  for (const Parameter* p : impl_->parameters) total += p->elements();
  return total;
}

}  // namespace statera
