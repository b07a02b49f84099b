// Activation checkpointing (Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", 2016): a segment runs on the
// tape's child and is forgotten; backward runs it there again, with a record, and hands the gradients of its inputs to the parent.
#include <array>
#include <cstring>

#include "core/arena.hpp"
#include "core/check.hpp"
#include "core/exec.hpp"
#include "statera/tape.hpp"

namespace statera {

namespace {
constexpr size_t most = 16;  // inputs, and outputs, of a segment

struct Segment {
  const void* function;
  void (*call)(const void*, Tape&, std::span<const Var>, std::span<Var>);
  std::array<Var, most> inputs, outputs;
  size_t n_inputs, n_outputs;
};

void recompute(Tape& tape, const Segment& segment) {
  Tape& child = tape.child();
  std::array<Var, most> in, out;
  for (size_t i = 0; i < segment.n_inputs; ++i) {
    const Var var = segment.inputs[i];
    in[i] = !var ? Var() : tape.needs_grad(var) ? child.input(tape.value(var)) : child.constant(tape.value(var));
  }
  segment.call(segment.function, child, std::span(in.data(), segment.n_inputs), std::span(out.data(), segment.n_outputs));
  std::array<View, most> grads;
  for (size_t i = 0; i < segment.n_outputs; ++i) grads[i] = tape.grad(segment.outputs[i]);
  child.backward(std::span(out.data(), segment.n_outputs), std::span(grads.data(), segment.n_outputs));
  for (size_t i = 0; i < segment.n_inputs; ++i) {
    if (!in[i] || !tape.needs_grad(segment.inputs[i])) continue;
    const GradSink sink(tape, segment.inputs[i]);
    copy(child.grad(in[i]), sink.view());
  }
  child.reset();
}
}  // namespace

void checkpoint_erased(Tape& tape, std::span<const Var> inputs, std::span<Var> outputs, const void* function, size_t bytes,
                       void (*call)(const void*, Tape&, std::span<const Var>, std::span<Var>)) {
  require(inputs.size() <= most && outputs.size() <= most, ErrorCode::unsupported, "[checkpoint] more than ", most, " inputs or outputs");
  Segment* segment = new (tape.memory().allocate(sizeof(Segment))) Segment{};
  void* kept = tape.memory().allocate(bytes);
  std::memcpy(kept, function, bytes);
  segment->function = kept;
  segment->call = call;
  segment->n_inputs = inputs.size();
  segment->n_outputs = outputs.size();
  std::copy(inputs.begin(), inputs.end(), segment->inputs.begin());

  Tape& child = tape.child();
  std::array<Var, most> in, out;
  for (size_t i = 0; i < inputs.size(); ++i) in[i] = inputs[i] ? child.constant(tape.value(inputs[i])) : Var();
  {
    const Tape::NoGrad forward_only(child);
    call(kept, child, std::span(in.data(), inputs.size()), std::span(out.data(), outputs.size()));
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!out[i]) continue;
    const View value = child.value(out[i]);
    outputs[i] = tape.make(value.dtype, value.shape, true);
    copy(value, tape.value(outputs[i]));
    segment->outputs[i] = outputs[i];
  }
  child.reset();
  const auto all = [&](size_t i) { return i < outputs.size() ? outputs[i] : Var(); };
  tape.record("checkpoint", {all(0), all(1), all(2), all(3), all(4), all(5), all(6), all(7), all(8), all(9), all(10), all(11), all(12),
                             all(13), all(14), all(15)},
              [segment](Tape& t) { recompute(t, *segment); });
}

}  // namespace statera
