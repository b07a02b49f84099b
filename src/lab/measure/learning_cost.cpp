#include "lab/measure/learning_cost.hpp"

#include <algorithm>

#include "lab/measure/stream_cost.hpp"
#include "statera/train.hpp"
#include "statera/optimizer.hpp"

namespace statera {

namespace {
// The bytes [begin, end) of a document as in training: a window from an empty state, in which each byte is predicted
// from those before it.
struct Window {
  Tokens inputs;
  std::vector<int32_t> targets;
};

Window window(std::span<const uint8_t> document, size_t begin, size_t end) {
  Window w;
  w.inputs.start = {0};
  w.inputs.offsets = {0, static_cast<int32_t>(end - begin)};
  for (size_t i = begin; i < end; ++i) {
    w.inputs.ids.push_back(i == 0 ? begin_id : document[i - 1]);
    w.targets.push_back(document[i]);
  }
  return w;
}
}  // namespace

std::vector<float> learning_cost(Model& model, const ByteSource& source, int64_t max_bytes,
                                 const LearningOptions& options, const std::function<bool()>& stop) {
  AdamW optimizer(model.parameters(), {.lr = options.lr, .weight_decay = 0}, model.device());
  Tape tape(model.device());
  Session session(model, {.rewind_bytes = 0});
  std::vector<float> all;
  auto left = static_cast<size_t>(std::max<int64_t>(0, max_bytes));
  for (int64_t d = 0; d < source.documents() && left > 0; ++d) {
    const auto document = source.document(d).first(std::min(left, source.document(d).size()));
    left -= document.size();
    session.reset();
    for (size_t begin = 0; begin < document.size(); begin += static_cast<size_t>(options.length)) {
      if (stop && stop()) return all;
      const size_t end = std::min(document.size(), begin + static_cast<size_t>(options.length));
      const std::vector<float> nats = session.score(ids_of(document.subspan(begin, end - begin)));
      all.insert(all.end(), nats.begin(), nats.end());
      const Window w = window(document, begin, end);
      training_pass(model, tape, w.inputs, w.targets);
      optimizer.step();
      tape.reset();
    }
  }
  return all;
}

}  // namespace statera
