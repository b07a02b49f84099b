// Golden files of whole models, and of a published checkpoint.
#include <algorithm>
#include <filesystem>

#include "core/exec.hpp"
#include "golden/golden_case.hpp"
#include "import/hnet/hnet.hpp"
#include "models/language_model.hpp"
#include "statera/loss.hpp"
#include "statera/train.hpp"

namespace statera::test {
namespace {

using nlohmann::json;

std::vector<int32_t> narrow(const std::vector<int64_t>& ids) { return {ids.begin(), ids.end()}; }

void append(std::vector<double>& to, const std::vector<double>& more) { to.insert(to.end(), more.begin(), more.end()); }

// One sequence through the states of a model: its logits, and what its routers decided.
class Reader {
 public:
  Reader(const Model& model, OpResult& result)
      : model_(model),
        result_(result),
        state_(modules_of(model).new_state(model.dtype())),
        cuts_(state_.layout().clocks) {}
  ~Reader() {
    for (size_t clock = 1; clock < cuts_.size(); ++clock) {
      std::vector<double> mask(cuts_[clock].probability.size());
      for (const int64_t row : cuts_[clock].rows) mask[static_cast<size_t>(row)] = 1;
      const std::string stage = "." + std::to_string(clock - 1);
      append(result_.outputs["boundary_mask" + stage], mask);
      append(result_.outputs["boundary_prob" + stage],
             {cuts_[clock].probability.begin(), cuts_[clock].probability.end()});
    }
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  std::vector<double> advance(std::span<const int32_t> ids) {
    const int32_t offsets[] = {0, static_cast<int32_t>(ids.size())};
    const int64_t start[] = {state_.position()};
    State* one = &state_;
    Arena scratch;
    AdvancePass pass{
        .exec = {pool_of(model_.device()), scratch, model_.device().kernels()}, .states = {&one, 1}, .cuts = cuts_};
    const View logits =
        scratch.allocate(model_.dtype(), {static_cast<int64_t>(ids.size()), model_.config().vocab_size});
    modules_of(model_).advance(pass, ids, {offsets, start}, logits);
    return to_doubles(logits);
  }
  const State& state() const { return state_; }

 private:
  const Model& model_;
  OpResult& result_;
  State state_;
  std::vector<Cuts> cuts_;
};

// The states by the reference's names, "state.last_value.0" and so on.
void name_states(const State& state, OpResult& result) {
  size_t before = 0, smoothed = 0;
  const auto& slots = state.layout().slots;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].name.ends_with(".before"))
      result.outputs["state.last_hidden_state." + std::to_string(before++)] = to_doubles(state.fixed(i));
    if (slots[i].name.ends_with(".smoothed"))
      result.outputs["state.last_value." + std::to_string(smoothed++)] = to_doubles(state.fixed(i));
  }
  for (size_t clock = 0; clock < state.layout().clocks; ++clock)
    result.outputs["state.tokens." + std::to_string(clock)] = {static_cast<double>(state.position(clock))};
}

// Theirs for a parameter of ours, in our layout.
std::vector<double> theirs(const GoldenFile& file, const ModelConfig& config, const Parameter& p,
                           const std::string& prefix) {
  const TheirTensor tensor = hnet_importer.tensor(config, p.name);
  std::vector<double> values = file.tensor(prefix + tensor.name).values;
  if (tensor.halves_swapped)
    std::rotate(values.begin(), values.begin() + static_cast<ptrdiff_t>(values.size() / 2), values.end());
  return values;
}

// The config with the targets and the weight of the ratio loss, which theirs does not have.
ModelConfig config_of(const GoldenFile& file) {
  ModelConfig config = hnet_importer.config({file.config().dump(), file.path()});
  const json targets = json::parse(file.metadata("N"));
  for (size_t stage = 0; stage < config.inner.size(); ++stage) {
    json inner = json::parse(config.inner[stage]);
    inner["ratio"] = targets[stage];
    inner["ratio_weight"] = json::parse(file.metadata("alpha"));
    config.inner[stage] = inner.dump();
  }
  return ModelConfig::parse(config.json(), file.path());
}

GoldenCase model_case(const GoldenFile& file) {
  const ModelConfig config = config_of(file);
  const std::vector<int32_t> ids = narrow(file.integers("in.ids")), targets = narrow(file.integers("in.targets"));
  const GoldenTensor logits = file.tensor("out.logits");
  const GoldenRows rows(file, logits.dim(0), logits.dim(1));
  for (const char* name : {"out.ce", "out.ratio_loss.0", "out.ratio_loss.1"}) file.said_elsewhere(name);  // out.loss
  const Tokens tokens{ids, rows.offsets, rows.start};
  const auto prefill = json::parse(file.metadata("prefill")).get<size_t>();
  GoldenCase c;
  c.kernel = "model";
  c.reduction = static_cast<int64_t>(ids.size());
  NamedDoubles& expected = c.expected.outputs;
  expected["logits"] = expected["logits_step"] = logits.values;
  expected["loss"] = file.tensor("out.loss").values;
  for (size_t stage = 0; stage <= config.inner.size(); ++stage) {
    const std::string number = "." + std::to_string(stage), tokens_of = "state.tokens" + number;
    const auto whole = [&](const std::string& name) {
      const std::vector<int64_t> values = file.integers("out." + name);
      expected[name] = {values.begin(), values.end()};
    };
    whole(tokens_of);
    if (stage == config.inner.size()) break;
    whole("boundary_mask" + number);
    for (const double p : file.tensor("out.boundary_prob" + number).values)
      expected["boundary_prob" + number].push_back(static_cast<float>(p));  // as Cuts keeps them
    for (const char* name : {"state.last_hidden_state", "state.last_value"})
      expected[name + number] = file.tensor("out." + (name + number)).values;
  }
  const Model probe(config, Device::cpu({.threads = 1}), {.training = false});
  NamedDoubles weights;
  for (const Parameter* p : probe.parameters()) {
    weights[p->name] = theirs(file, config, *p, "weight.");
    c.expected.grads[p->name] = theirs(file, config, *p, "grad.weight.");
    c.reduction = std::max(c.reduction, p->shape[p->shape.rank() - 1]);
  }
  // The gradient of a decay rate is a sum over positions and the state of a head, and the errors of all layers above it
  // come to it.
  const State state = modules_of(probe).new_state(DType::f32);
  int64_t state_elements = 0;
  for (const StateSlot& slot : state.layout().slots) state_elements += slot.grows ? 0 : slot.shape.row_elements();
  c.reduction = std::max(c.reduction, logits.dim(0) * logits.dim(1) * state_elements);
  c.run = [=](DType dtype, const Device& device) {
    const Model model(config, device, {.dtype = dtype});
    for (Parameter* p : model.parameters()) {
      copy(to_tensor(dtype, p->shape, weights.at(p->name)), p->value);
      p->changed();
    }
    OpResult result;
    Tape tape(device);
    result.outputs["logits"] = to_doubles(tape.value(model.forward(tape, tokens)));
    const TrainingLoss loss = training_pass(model, tape, tokens, targets);
    result.outputs["loss"] = {loss.loss + loss.auxiliary};
    for (const Parameter* p : model.parameters()) result.grads[p->name] = to_doubles(p->grad);
    for (int64_t s = 0; s < rows.sequences(); ++s) {
      const auto sequence =
          std::span(ids).subspan(static_cast<size_t>(rows.rows().begin(s)), static_cast<size_t>(rows.rows().length(s)));
      Reader reader(model, result);
      const size_t first = std::min(prefill, sequence.size());
      std::vector<double>& steps = result.outputs["logits_step"];
      append(steps, reader.advance(sequence.first(first)));
      if (s + 1 == rows.sequences()) name_states(reader.state(), result);
      for (size_t i = first; i < sequence.size(); ++i) append(steps, reader.advance(sequence.subspan(i, 1)));
    }
    return result;
  };
  return c;
}

// A folder as it is published, read by the importer: logits of the whole, and the bytes that follow, one by one.
GoldenCase checkpoint_case(const GoldenFile& file) {
  const std::string folder = std::filesystem::path(file.path()).parent_path();
  const std::vector<int32_t> ids = narrow(file.integers("ids"));
  const GoldenTensor logits = file.tensor("logits");
  const std::vector<int64_t> greedy = file.integers("greedy");
  file.said_elsewhere("greedy_margin");  // how far the best logit is ahead of the second
  const auto batch = static_cast<size_t>(logits.dim(0)), length = static_cast<size_t>(logits.dim(1)),
             vocab = static_cast<size_t>(logits.dim(2)), whole = greedy.size() / batch;
  GoldenCase c;
  c.kernel = "import";
  c.reduction = static_cast<int64_t>(ids.size());
  c.expected.outputs["logits"] = logits.values;
  c.expected.outputs["greedy"] = {greedy.begin(), greedy.end()};
  for (const std::string name : {"boundary_mask.0", "boundary_mask.1"}) {
    const std::vector<int64_t> mask = file.integers(name);
    c.expected.outputs[name] = {mask.begin(), mask.end()};
  }
  c.run = [=](DType dtype, const Device& device) {
    const Model model = import_model(folder, device, {.dtype = dtype, .training = false});
    OpResult result;
    for (size_t s = 0; s < batch; ++s) {
      Reader reader(model, result);
      const auto prompt = std::span(ids).subspan(s * length, length);
      std::vector<double> last = reader.advance(prompt), &all = result.outputs["greedy"];
      append(result.outputs["logits"], last);
      all.insert(all.end(), prompt.begin(), prompt.end());
      for (size_t i = length; i < whole; ++i) {
        const auto best =
            static_cast<int32_t>(std::max_element(last.end() - static_cast<ptrdiff_t>(vocab), last.end()) -
                                 (last.end() - static_cast<ptrdiff_t>(vocab)));
        all.push_back(best);
        last = reader.advance({&best, 1});
      }
    }
    return result;
  };
  return c;
}

const bool added = add_golden("hnet_model", model_case) && add_golden("hnet_checkpoint", checkpoint_case);

}  // namespace
}  // namespace statera::test
