#include "train/checkpoint.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <locale>
#include <map>
#include <sstream>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "io/json_fields.hpp"
#include "io/printable.hpp"
#include "io/safetensors.hpp"
#include "models/language_model.hpp"
#include "models/model_files.hpp"

namespace statera {

void TrainOptions::visit(FieldVisitor& v) {
  v.field("steps", steps, "steps of the optimizer; 0: from the budget");
  v.field("budget", budget, "seconds; 0: none");
  v.field("batch", batch, "sequences per batch");
  v.field("length", length, "positions per sequence");
  v.field("accumulate", accumulate, "batches per step");
  v.field("lr", lr, "peak learning rate");
  v.field("schedule", schedule, "cosine or wsd");
  v.field("warmup", warmup, "warm-up steps; 0: chosen");
  v.field("decay", decay, "last steps of wsd; 0: chosen");
  v.field("weight_decay", weight_decay, "decoupled weight decay of matrices");
  v.field("dropout", dropout, "dropout probability of the embedding and of what each sublayer adds");
  v.field("clip", clip, "largest norm of all gradients together; 0: no clipping");
  v.field("seed", seed, "random seed of weights, batches and dropout");
  v.field("carry", carry, "carry the states from batch to batch");
  v.field("checkpoint_activations", checkpoint_activations, "recompute blocks in the backward pass");
  v.field("precision", precision, "precision of matrix products: fp32, bf16; auto: chosen");
  v.field("evaluate_every", evaluate_every, "steps between evaluations; 0: chosen");
  v.field("evaluate_bytes", evaluate_bytes, "held-out bytes per evaluation; 0: chosen");
  v.field("final_bytes", final_bytes, "held-out bytes of the final evaluation; 0: chosen");
}

void RunState::visit(FieldVisitor& v) {
  v.field("step", step, "steps done");
  v.field("loss", loss, "loss of the last step");
  v.field("seconds", seconds, "seconds spent");
  v.field("best", best, "best held-out bits per byte");
  v.field("best_step", best_step, "step after which it was measured");
  v.field("best_weights", best_weights, "fingerprint of the weights of that step");
  v.field("metrics_bytes", metrics_bytes, "length of metrics.jsonl");
  v.field("data", data, "fingerprint of the data");
  v.field("cut_bytes", cut_bytes, "bytes of data at which reading was stopped; 0: all was read");
}

namespace {
// Before format 3, carried states were named by the numbers of their layer and slot, and there were no positions of
// inner stacks. Format 1 had no checksum.
constexpr const char *format = "statera checkpoint 3", *format_2 = "statera checkpoint 2",
                     *format_1 = "statera checkpoint 1";
constexpr const char* fix = "; the file is damaged: remove it to start over";

std::string text_at(const SafetensorsFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  require(found != file.metadata().end(), ErrorCode::io, file.path(), ": is no checkpoint of statera: '", key,
          "' is missing; remove it to start over");
  return found->second;
}

SafetensorsFile open(const std::string& out) {
  SafetensorsFile file = SafetensorsFile::open(checkpoint_path(out));
  const std::string found = text_at(file, "format");
  require(found == format || found == format_2 || found == format_1, ErrorCode::io, file.path(), ": format ",
          in_quotes(found), ", expected '", format, "'");
  if (found != format_1) file.require_checksum();
  return file;
}

template <class Config>
Config read(const SafetensorsFile& file, const std::string& key) {
  Config config;
  read_fields(JsonText{text_at(file, key), file.path() + ": " + key}, config);
  return config;
}

const FileTensor& expect(const SafetensorsFile& file, const std::string& name, const View& to) {
  const FileTensor& from = file.at(name);
  require(from.shape == to.shape && from.dtype == to.dtype, ErrorCode::io, file.path(), ": ", name, " is ",
          name_of(from.dtype), " ", from.shape, ", expected ", name_of(to.dtype), " ", to.shape);
  return from;
}

void take(const SafetensorsFile& file, const std::string& name, const View& to) {
  copy(file.read_finite(expect(file, name, to)), to);
}

// Checks the means of squares: none may be negative or NaN. One may have overflowed to infinity; its parameter then
// stays as it is.
void take_squares(const SafetensorsFile& file, const std::string& name, const View& to) {
  copy(file.read(expect(file, name, to)), to);
  const auto good = [n = to.elements()](const auto* p) { return std::all_of(p, p + n, [](auto x) { return x >= 0; }); };
  require(to.dtype == DType::f64 ? good(to.as<double>()) : good(to.as<float>()), ErrorCode::io, file.path(), ": ", name,
          " has a value that is no mean of squares", fix);
}

// Checks the steps at which rows were touched: each is one that the run has made.
void take_steps(const SafetensorsFile& file, const std::string& name, const View& to, int64_t step) {
  copy(file.read(expect(file, name, to)), to);
  const auto* at = to.as<int32_t>();
  require(std::all_of(at, at + to.elements(), [&](int32_t x) { return x >= 0 && x <= step; }), ErrorCode::io,
          file.path(), ": ", name, " has a step that the run has not made", fix);
}

// Throws unless a run can have reached this state.
void check_run(const SafetensorsFile& file, const RunState& run, const TrainOptions& options) {
  const auto check = [&](bool good, const char* name, auto value, const auto&... expected) {
    require(good, ErrorCode::io, file.path(), ": run: ", name, " is ", value, ", expected ", expected..., fix);
  };
  constexpr double most_seconds = 1e10;  // three hundred years
  check(run.step >= 0 && run.step <= options.steps, "step", run.step, "0 to ", options.steps);
  check(std::isfinite(run.loss) && run.loss >= 0, "loss", run.loss, "nats of 0 or more");
  check(run.seconds >= 0 && run.seconds <= most_seconds, "seconds", run.seconds, "0 to ", most_seconds);
  check(run.best_step >= 0 && run.best_step <= run.step, "best_step", run.best_step, "0 to ", run.step);
  if (run.best_step == 0)
    check(run.best == std::numeric_limits<double>::infinity(), "best", run.best, "inf, since best_step is 0");
  else
    check(std::isfinite(run.best) && run.best >= 0, "best", run.best, "bits per byte of 0 or more");
  check(run.metrics_bytes >= 0, "metrics_bytes", run.metrics_bytes, "0 or more");
  check(run.cut_bytes >= 0, "cut_bytes", run.cut_bytes, "0 or more");
}

// The name of a slot in checkpoints before format 3: the numbers of its layer and of the slot in it.
std::string old_name(const std::vector<StateSlot>& slots, size_t slot) {
  const auto layer = [&](size_t i) {
    const std::string& name = slots[i].name;  // layers.3.mixer.k
    return name.substr(name.find('.') + 1, name.find('.', name.find('.') + 1) - name.find('.') - 1);
  };
  size_t first = slot;
  while (first > 0 && layer(first - 1) == layer(slot)) --first;
  return layer(slot) + "." + std::to_string(slot - first);
}

// Reads what a slot carries from batch to batch, [batch, ...]. Growing slots of one clock have the same number of
// positions, which `grown` holds by clock.
Tensor carried_by(const SafetensorsFile& file, const std::string& name, const StateSlot& slot, DType dtype,
                  int64_t batch, std::vector<int64_t>& grown) {
  const FileTensor& found = file.at(name);
  Shape expected{batch};
  if (slot.grows) {
    int64_t& positions = grown[slot.clock];
    if (positions < 0 && found.shape.rank() == 3) positions = found.shape[1];
    expected.push_back(positions);
    expected.push_back(slot.shape.elements() / State::block_positions);
  } else {
    for (const int64_t size : slot.shape) expected.push_back(size);
  }
  require(found.dtype == dtype && found.shape == expected, ErrorCode::io, file.path(), ": ", found.name, " is ",
          name_of(found.dtype), " ", found.shape, ", expected ", name_of(dtype), " ", expected, fix);
  return file.read_finite(found);
}

CarriedState load_carried(const SafetensorsFile& file, const StateLayout& layout, DType dtype, int64_t batch) {
  CarriedState carried;
  const bool old = text_at(file, "format") != format;
  std::vector<int64_t> grown(layout.clocks, -1);
  for (size_t i = 0; i < layout.slots.size(); ++i) {
    const std::string name = "carried." + (old ? old_name(layout.slots, i) : layout.slots[i].name);
    carried.slots.push_back(
        carried_by(file, name, layout.slots[i], layout.slots[i].dtype.value_or(dtype), batch, grown));
  }
  carried.positions.assign(layout.clocks * static_cast<size_t>(batch), 0);
  if (old) return carried;
  std::istringstream numbers(text_at(file, "carried_positions"));
  numbers.imbue(std::locale::classic());
  size_t count = 0;
  for (int64_t position; numbers >> position; ++count) {
    require(count < carried.positions.size() && position >= 0, ErrorCode::io, file.path(),
            ": carried_positions do not fit the states", fix);
    carried.positions[count] = position;
  }
  require(count == carried.positions.size() && numbers.eof(), ErrorCode::io, file.path(),
          ": carried_positions do not fit the states", fix);
  return carried;
}

// The tokenizer.json of a model over tokens, which a run needs before it has written a model.
constexpr const char* tokenizer_name = "tokenizer";

Shape tokenizer_shape(const std::string& text) { return {static_cast<int64_t>(text.size())}; }

std::string saved_tokenizer(const SafetensorsFile& file) {
  const FileTensor* found = file.find(tokenizer_name);
  if (!found) return {};
  require(found->dtype == DType::u8 && found->shape.rank() == 1, ErrorCode::io, file.path(), ": ", tokenizer_name,
          " is ", name_of(found->dtype), " ", found->shape, ", expected the bytes of a file", fix);
  const Tensor bytes = file.read(*found);
  return {static_cast<const char*>(bytes.view().data), static_cast<size_t>(found->shape[0])};
}

// Takes the options that were left open from the checkpoint; the others must be equal.
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
         "); leave that option out to resume it, or choose another folder for a new run");
  options = saved;
}
}  // namespace

std::string checkpoint_path(const std::string& out) { return out + "/" + checkpoint_name; }

OutputFiles run_files() {
  OutputFiles files = model_files();
  for (const std::string& name : model_files().names) files.names.push_back("last/" + name);
  for (const char* name : {checkpoint_name, trial_save_name, "metrics.jsonl"}) files.names.emplace_back(name);
  files.known_by.emplace_back(checkpoint_name);
  files.goes_on_from = checkpoint_name;
  files.instead =
      "--resume continues from a checkpoint, --overwrite replaces the model, --out DIR takes another folder";
  return files;
}

OutputFolder claim_folder(const TrainRun& run) {
  return {run.out, run_files(), run.overwrite ? Earlier::replaced : run.resume ? Earlier::goes_on : Earlier::refused};
}

void remove_run(const std::string& out) { OutputFolder::remove(out, run_files()); }

bool has_checkpoint(const std::string& out) {
  std::error_code ignored;
  return std::filesystem::exists(checkpoint_path(out), ignored);
}

void save_checkpoint(OutputFolder& folder, const Model& model, const AdamW& optimizer, const CarriedState& carried,
                     const TrainOptions& options, const RunState& state) {
  std::vector<NamedView> tensors;
  const std::vector<Parameter*>& parameters = optimizer.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    tensors.push_back({"weight." + parameters[i]->name, parameters[i]->value});
    tensors.push_back({"mean." + parameters[i]->name, optimizer.mean(i)});
    tensors.push_back({"square." + parameters[i]->name, optimizer.square(i)});
    if (parameters[i]->by_rows) tensors.push_back({"touched." + parameters[i]->name, optimizer.touched_at(i)});
  }
  const auto& slots = modules_of(model).layout().slots;
  for (size_t i = 0; i < carried.slots.size(); ++i) tensors.push_back({"carried." + slots[i].name, carried.slots[i]});
  const std::string& tokenizer = model.units()->file();
  if (!tokenizer.empty())
    tensors.push_back(
        {tokenizer_name, View(const_cast<char*>(tokenizer.data()), DType::u8, tokenizer_shape(tokenizer))});
  std::string positions;
  for (const int64_t position : carried.positions)
    positions += (positions.empty() ? "" : " ") + std::to_string(position);
  write_with_checksum(folder.at(checkpoint_name), tensors,
                      {{"format", format},
                       {"config", model.config().json()},
                       {"options", write_fields(options)},
                       {"run", write_fields(state)},
                       {"carried_positions", positions}});
}

RunState load_checkpoint(const std::string& out, const Model& model, AdamW& optimizer, CarriedState& carried,
                         TrainOptions& options, uint64_t fingerprint) {
  const SafetensorsFile file = open(out);
  // keys that the saved config lacks get their defaults
  const ModelConfig saved = ModelConfig::parse(text_at(file, "config"), file.path() + ": config");
  require(saved.json() == model.config().json(), ErrorCode::config, "the checkpoint in ", out,
          " is of another model; leave --config out to resume it, or choose another folder for a new run");
  const auto state = read<RunState>(file, "run");
  require(
      state.data == fingerprint_text(fingerprint), ErrorCode::config, "the checkpoint in ", out,
      " was trained on other data; give the same files and flags to resume it, or choose another folder for a new run");
  const bool tokens = !model.units()->file().empty();
  require(
      model.units()->file() == saved_tokenizer(file), ErrorCode::config, "the checkpoint in ", out,
      " is of a model with another tokenizer; leave --units out to resume it, or choose another folder for a new run");
  TrainOptions merged = options;
  merge(merged, read<TrainOptions>(file, "options"), out);
  check_run(file, state, merged);

  const std::vector<Parameter*>& parameters = optimizer.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    take(file, "weight." + parameters[i]->name, parameters[i]->value);
    take(file, "mean." + parameters[i]->name, optimizer.mean(i));
    take_squares(file, "square." + parameters[i]->name, optimizer.square(i));
    if (parameters[i]->by_rows) take_steps(file, "touched." + parameters[i]->name, optimizer.touched_at(i), state.step);
    parameters[i]->changed();
  }
  optimizer.set_steps(state.step);
  carried.clear();
  if (merged.carry && state.step > 0)
    carried = load_carried(file, modules_of(model).layout(), model.dtype(), merged.batch);
  const auto by_rows =
      static_cast<size_t>(std::ranges::count_if(parameters, [](const Parameter* p) { return p->by_rows; }));
  const size_t tensors = 3 * parameters.size() + by_rows + carried.slots.size() + (tokens ? 1 : 0);
  require(file.tensors().size() == tensors, ErrorCode::io, file.path(), ": ", file.tensors().size(),
          " tensors, expected ", tensors, fix);
  options = merged;
  return state;
}

double checkpoint_bytes(const Model& model) {
  double rows = 0;
  for (const Parameter* p : model.parameters())
    if (p->by_rows) rows += static_cast<double>(p->shape[0]);
  return 3 * static_cast<double>(model.parameter_count()) * static_cast<double>(size_of(model.dtype())) +
         rows * sizeof(int32_t);
}

namespace {
void require_of_best(bool good, const std::string& out, const RunState& state, const char* why) {
  require(good, ErrorCode::io, out, ": the best weights of this run, of step ", state.best_step, ", are not there (",
          why,
          "); put them back, or take those of its "
          "last step from ",
          out, "/last, or train again with --overwrite");
}
}  // namespace

void require_best(const std::string& out, const RunState& state) {
  std::error_code ignored;
  require_of_best(state.best_step == 0 || std::filesystem::exists(out + "/model.safetensors", ignored), out, state,
                  "model.safetensors is missing");
}

void load_best(const std::string& out, const Model& model, const RunState& state) {
  require_best(out, state);
  const Model best = Model::load(out, model.device(), {.dtype = model.dtype(), .training = false});
  require_of_best(best.config().json() == model.config().json(), out, state, "config.json is of another model");
  require_of_best(state.best_weights.empty() || fingerprint_text(best.fingerprint()) == state.best_weights, out, state,
                  "model.safetensors holds others");
  const std::vector<Parameter*> from = best.parameters(), to = model.parameters();
  for (size_t i = 0; i < to.size(); ++i) {
    copy(from[i]->value, to[i]->value);
    to[i]->changed();
  }
}

std::optional<SavedRun> saved_run(const std::string& out) {
  if (!has_checkpoint(out)) return {};
  const SafetensorsFile file = open(out);
  return SavedRun{read<TrainOptions>(file, "options"), text_at(file, "config"), read<RunState>(file, "run").cut_bytes,
                  saved_tokenizer(file)};
}

}  // namespace statera
