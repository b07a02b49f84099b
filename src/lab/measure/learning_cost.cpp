#include "lab/measure/learning_cost.hpp"

#include <algorithm>

#include "models/carried_state.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"
#include "statera/optimizer.hpp"

namespace statera {

namespace {
// The bytes [begin, end) of a document: what is read before each, and what is to be predicted.
struct Segment {
  Tokens inputs;
  std::vector<int32_t> targets;
};

Segment segment(std::span<const uint8_t> document, size_t begin, size_t end) {
  Segment s;
  s.inputs.start = {static_cast<int64_t>(begin)};
  s.inputs.offsets = {0, static_cast<int32_t>(end - begin)};
  for (size_t i = begin; i < end; ++i) {
    s.inputs.ids.push_back(i == 0 ? begin_id : document[i - 1]);
    s.targets.push_back(document[i]);
  }
  return s;
}
}  // namespace

std::vector<float> learning_cost(Model& model, const ByteSource& source, int64_t max_bytes, const LearningOptions& options, const std::function<bool()>& stop) {
  AdamW optimizer(model.parameters(), {.lr = options.lr, .weight_decay = 0}, model.device());
  Tape tape(model.device());
  std::vector<float> all;
  auto left = static_cast<size_t>(std::max<int64_t>(0, max_bytes));
  for (int64_t d = 0; d < source.documents() && left > 0; ++d) {
    const auto document = source.document(d).first(std::min(left, source.document(d).size()));
    left -= document.size();
    CarriedState state;
    for (size_t begin = 0; begin < document.size(); begin += static_cast<size_t>(options.length)) {
      if (stop && stop()) return all;
      const size_t end = std::min(document.size(), begin + static_cast<size_t>(options.length));
      const Segment s = segment(document, begin, end);
      const Var logits = model.forward(tape, s.inputs, {.initial = &state, .last = &state});
      Tensor nats(DType::f32, {static_cast<int64_t>(end - begin)});
      Exec exec = tape.exec();
      cross_entropy(exec, tape.value(logits), s.targets, nats);
      all.insert(all.end(), nats.as<float>(), nats.as<float>() + (end - begin));
      tape.backward(cross_entropy(tape, logits, s.targets));
      optimizer.step();
      tape.reset();
    }
  }
  return all;
}

}  // namespace statera
