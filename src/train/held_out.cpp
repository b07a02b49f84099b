#include "train/held_out.hpp"

#include <algorithm>
#include <numbers>

#include "autograd/operations.hpp"
#include "ops/cross_entropy/cross_entropy.hpp"
#include "statera/loss.hpp"

namespace statera {

int64_t held_out_batches(const TrainingData& data, const TrainOptions& options, int64_t bytes) {
  const double each = static_cast<double>(options.batch * options.length) * data.bytes_per_position;
  return std::min(data.held_out_batches, std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(bytes) / each)));
}

namespace {
struct InFp32 {
  explicit InFp32(Tape& tape) : tape_(tape), before_(tape.device().precision()) { tape.set_precision(Precision::fp32); }
  ~InFp32() { tape_.set_precision(before_); }
  Tape& tape_;
  Precision before_;
};
}  // namespace

HeldOut measure_held_out(Tape& tape, const Model& model, const TrainingData& data, const TrainOptions& options,
                         int64_t bytes) {
  const int64_t count = held_out_batches(data, options, bytes);
  const InFp32 as_a_session(tape);
  HeldOut result;
  double nats = 0;
  for (int64_t i = 0; i < count; ++i) {
    const Batch batch = data.held_out((2 * i + 1) * data.held_out_batches / (2 * count));  // the middle of its stretch
    tape.reset();
    const Tape::NoGrad no_grad(tape);
    Exec exec = exec_of(tape);
    const Var logits = model.forward(tape, batch.inputs, {.checkpoint = options.checkpoint_activations});
    nats += cross_entropy(exec, tape.value(logits), batch.targets, {});
    const int64_t counted = counted_targets(batch.targets);
    result.positions += counted;
    result.bytes += batch.bytes >= 0 ? batch.bytes : counted;
  }
  tape.reset();
  result.bits_per_byte = nats / std::numbers::ln2 / static_cast<double>(std::max<int64_t>(1, result.bytes));
  return result;
}

}  // namespace statera
