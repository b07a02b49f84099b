#include "train/checkpoint.hpp"

#include <filesystem>
#include <map>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "io/json_fields.hpp"
#include "io/safetensors.hpp"
#include "mixers/mixer.hpp"
#include "models/model_files.hpp"

namespace statera {

void TrainOptions::visit(FieldVisitor& v) {
  v.field("steps", steps, "steps of the optimizer; 0: from the budget");
  v.field("budget", budget, "seconds; 0: none");
  v.field("batch", batch, "sequences in a batch");
  v.field("length", length, "positions of a sequence");
  v.field("accumulate", accumulate, "batches in a step");
  v.field("lr", lr, "highest learning rate");
  v.field("schedule", schedule, "cosine or wsd");
  v.field("warmup", warmup, "steps of linear rise; 0: chosen");
  v.field("decay", decay, "last steps of wsd; 0: chosen");
  v.field("weight_decay", weight_decay, "decoupled weight decay of matrices");
  v.field("dropout", dropout, "the share of the embedding and of what each half of a block adds that is zeroed in training");
  v.field("clip", clip, "largest norm of the gradient; 0: none");
  v.field("seed", seed, "of weights, batches and dropout");
  v.field("carry", carry, "states go on from batch to batch");
  v.field("checkpoint_activations", checkpoint_activations, "recompute blocks in backward");
  v.field("precision", precision, "of matrix products: fp32, bf16; auto: chosen");
  v.field("evaluate_every", evaluate_every, "steps between measurements; 0: chosen");
  v.field("evaluate_bytes", evaluate_bytes, "held-out bytes of a measurement; 0: chosen");
  v.field("final_bytes", final_bytes, "held-out bytes of the last one; 0: chosen");
}

void RunState::visit(FieldVisitor& v) {
  v.field("step", step, "steps done");
  v.field("loss", loss, "of the last step");
  v.field("seconds", seconds, "spent");
  v.field("best", best, "held-out bits per byte");
  v.field("best_step", best_step, "the step they were measured after");
  v.field("metrics_bytes", metrics_bytes, "length of metrics.jsonl");
  v.field("data", data, "fingerprint of the data");
}

namespace {
constexpr const char* format = "statera checkpoint 1";

std::string text_at(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  require(found != file.metadata().end(), ErrorCode::io, file.path(), ": is no checkpoint of statera: '", key,
          "' is missing; remove it to start afresh");
  return found->second;
}

SafetensorsFile open(const std::string& out) {
  SafetensorsFile file = SafetensorsFile::open(checkpoint_path(out));
  const std::string found = text_at(file, "format");
  require(found == format, ErrorCode::io, file.path(), ": format '", found, "', expected '", format, "'");
  return file;
}

template <class Config>
Config read(const SafetensorsFile& file, const std::string& key) {
  Config config;
  read_fields(JsonText{text_at(file, key), file.path() + ": " + key}, config);
  return config;
}

void take(const SafetensorsFile& file, const std::string& name, const View& to) {
  const FileTensor& from = file.at(name);
  require(from.shape == to.shape && from.dtype == to.dtype, ErrorCode::io, file.path(), ": ", name, " is ", name_of(from.dtype), " ",
          from.shape, ", expected ", name_of(to.dtype), " ", to.shape);
  copy(file.read(from), to);
}

// What was left open is taken from the checkpoint; the rest must be equal.
void merge(TrainOptions& options, const TrainOptions& saved, const std::string& out) {
  TrainOptions wanted = options;
  if (wanted.steps == 0) wanted.steps = saved.steps;
  if (wanted.precision == "auto") wanted.precision = saved.precision;
  if (wanted.warmup == 0) wanted.warmup = saved.warmup;
  if (wanted.decay == 0) wanted.decay = saved.decay;
  if (wanted.evaluate_every == 0) wanted.evaluate_every = saved.evaluate_every;
  if (wanted.evaluate_bytes == 0) wanted.evaluate_bytes = saved.evaluate_bytes;
  if (wanted.final_bytes == 0) wanted.final_bytes = saved.final_bytes;
  if (const auto differing = differing_fields(saved, wanted); !differing.empty())
    fail(ErrorCode::config, "the checkpoint in ", out, " is of another run (", differing.front(),
         "); leave that option out to go on with it, or choose another folder for a new run");
  options = saved;
}
}  // namespace

std::string checkpoint_path(const std::string& out) { return out + "/" + checkpoint_name; }

OutputFiles run_files() {
  OutputFiles files = model_files();
  for (const std::string& name : model_files().names) files.names.push_back("last/" + name);
  for (const char* name : {checkpoint_name, trial_save_name, "metrics.jsonl"}) files.names.emplace_back(name);
  files.known_by.emplace_back(checkpoint_name);
  return files;
}

void remove_run(const std::string& out) { OutputFolder::remove(out, run_files()); }

bool has_checkpoint(const std::string& out) {
  std::error_code ignored;
  return std::filesystem::exists(checkpoint_path(out), ignored);
}

void save_checkpoint(const std::string& out, const Model& model, const AdamW& optimizer, const CarriedState& carried,
                     const TrainOptions& options, const RunState& state) {
  std::vector<NamedView> tensors;
  const std::vector<Parameter*>& parameters = optimizer.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    tensors.push_back({"weight." + parameters[i]->name, parameters[i]->value});
    tensors.push_back({"mean." + parameters[i]->name, optimizer.mean(i)});
    tensors.push_back({"square." + parameters[i]->name, optimizer.square(i)});
  }
  for (size_t l = 0; l < carried.layers.size(); ++l)
    for (size_t i = 0; i < carried.layers[l].size(); ++i)
      tensors.push_back({"carried." + std::to_string(l) + "." + std::to_string(i), carried.layers[l][i]});
  write_safetensors(checkpoint_path(out), tensors,
                    {{"format", format}, {"config", model.config().json()}, {"options", write_fields(options)}, {"run", write_fields(state)}});
}

RunState load_checkpoint(const std::string& out, const Model& model, AdamW& optimizer, CarriedState& carried, TrainOptions& options,
                         uint64_t fingerprint) {
  const SafetensorsFile file = open(out);
  const ModelConfig saved = ModelConfig::parse(text_at(file, "config"), file.path() + ": config");  // keys that are newer get their defaults
  require(saved.json() == model.config().json(), ErrorCode::config, "the checkpoint in ", out,
          " is of another model; leave --config out to go on with it, or choose another folder for a new run");
  const auto state = read<RunState>(file, "run");
  require(state.data == fingerprint_text(fingerprint), ErrorCode::config, "the checkpoint in ", out,
          " was trained on other data; give the same files to go on with it, or choose another folder for a new run");
  TrainOptions merged = options;
  merge(merged, read<TrainOptions>(file, "options"), out);
  require(state.step >= 0 && state.step <= merged.steps, ErrorCode::io, file.path(), ": step ", state.step, " of ", merged.steps);

  const std::vector<Parameter*>& parameters = optimizer.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    take(file, "weight." + parameters[i]->name, parameters[i]->value);
    take(file, "mean." + parameters[i]->name, optimizer.mean(i));
    take(file, "square." + parameters[i]->name, optimizer.square(i));
    parameters[i]->changed();
  }
  optimizer.set_steps(state.step);
  carried.clear();
  const size_t layers = model.config().layer_list().size();
  for (size_t l = 0; l < layers; ++l)
    for (size_t i = 0;; ++i) {
      const FileTensor* tensor = file.find("carried." + std::to_string(l) + "." + std::to_string(i));
      if (!tensor) break;
      require(i < StateVars::most && tensor->shape.rank() > 0 && tensor->dtype == model.dtype(), ErrorCode::io, file.path(), ": ", tensor->name, " is ",
              name_of(tensor->dtype), " ", tensor->shape, ", which no layer of this model carries; remove the checkpoint to start afresh");
      carried.layers.resize(layers);
      carried.layers[l].push_back(file.read(*tensor));
    }
  options = merged;
  return state;
}

double checkpoint_bytes(const Model& model) {
  return 3 * static_cast<double>(model.parameter_count()) * static_cast<double>(size_of(model.dtype()));
}

void load_weights(const std::string& folder, const Model& model) {
  const SafetensorsFile file = SafetensorsFile::open(folder + "/model.safetensors");
  for (Parameter* p : model.parameters()) {
    take(file, p->name, p->value);
    p->changed();
  }
}

bool saved_run(const std::string& out, TrainOptions& options, std::string& config) {
  if (!has_checkpoint(out)) return false;
  const SafetensorsFile file = open(out);
  options = read<TrainOptions>(file, "options");
  config = text_at(file, "config");
  return true;
}

}  // namespace statera
