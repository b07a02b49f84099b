// Activation checkpointing (Chen, Xu, Zhang, Guestrin, "Training deep nets with sublinear memory cost", 2016). In
// forward a segment runs on the tape's child, which records nothing; only its outputs are copied to the tape. Backward
// runs the segment on the child again, this time with a record, and hands the gradients of its inputs to the tape.
#include <algorithm>
#include <cstring>
#include <utility>

#include "autograd/operations.hpp"
#include "core/arena.hpp"
#include "core/check.hpp"
#include "core/exec.hpp"
#include "statera/tape.hpp"

namespace statera {

namespace {
// A call of checkpoint(). The segment, its copy of the function and the two arrays lie in the tape's memory.
struct Segment {
  const void* function;
  void (*call)(const void*, Tape&, std::span<const Var>, std::span<Var>);
  std::span<Var> inputs, outputs;
};

template <class T>
std::span<T> array(Arena& memory, size_t count) {
  T* values = memory.allocate_array<T>(static_cast<int64_t>(count));
  std::uninitialized_fill_n(values, count, T());
  return {values, count};
}

// Runs the segment on the child, with a record, and returns its inputs and outputs on the child. The inputs that need
// a gradient become child.input(), so that the child keeps their gradients.
std::pair<std::span<Var>, std::span<Var>> run_on_child(Tape& tape, const Segment& segment) {
  Tape& child = child_of(tape);
  const std::span<Var> in = array<Var>(memory_of(child), segment.inputs.size()),
                       out = array<Var>(memory_of(child), segment.outputs.size());
  for (size_t i = 0; i < in.size(); ++i) {
    const Var var = segment.inputs[i];
    require(!var || tape.value(var).dense(), ErrorCode::unsupported, "[checkpoint] input ", i,
            " is columns of a matrix; pass the matrix, and take the columns inside");
    for (size_t j = 0; j < i; ++j)
      require(!var || segment.inputs[j].id != var.id, ErrorCode::unsupported, "[checkpoint] input ", i, " is input ", j,
              " once more; pass it once");
    in[i] = !var ? Var() : tape.needs_grad(var) ? child.input(tape.value(var)) : child.constant(tape.value(var));
  }
  segment.call(segment.function, child, in, out);
  return {in, out};
}

// Backward of a segment.
void recompute(Tape& tape, const Segment& segment) {
  Tape& child = child_of(tape);
  const auto [in, out] = run_on_child(tape, segment);
  // Operations that read an input after the segment have already sent it a gradient. The child's sum starts from that
  // gradient, so its terms are added in the same order as without checkpointing.
  const std::span<Var> roots = array<Var>(memory_of(child), out.size() + in.size());
  const std::span<View> grads = array<View>(memory_of(child), roots.size());
  for (size_t i = 0; i < out.size(); ++i) roots[i] = out[i], grads[i] = tape.grad(segment.outputs[i]);
  for (size_t i = 0; i < in.size(); ++i)
    if (in[i] && tape.needs_grad(segment.inputs[i]))
      roots[out.size() + i] = in[i], grads[out.size() + i] = tape.grad(segment.inputs[i]);
  child.backward(roots, grads);
  for (size_t i = 0; i < in.size(); ++i)
    if (in[i] && tape.needs_grad(segment.inputs[i]))
      copy(child.grad(in[i]), GradSink(tape, segment.inputs[i], GradSink::Wanted::whole).view());
  child.reset();
}
}  // namespace

void checkpoint_erased(Tape& tape, std::span<const Var> inputs, std::span<Var> outputs, const void* function,
                       size_t bytes, void (*call)(const void*, Tape&, std::span<const Var>, std::span<Var>)) {
  // What backward needs, in the tape's memory.
  Segment* segment = new (memory_of(tape).allocate(sizeof(Segment))) Segment{};
  void* kept = memory_of(tape).allocate(bytes);
  std::memcpy(kept, function, bytes);
  segment->function = kept;
  segment->call = call;
  segment->inputs = array<Var>(memory_of(tape), inputs.size());
  segment->outputs = array<Var>(memory_of(tape), outputs.size());
  std::ranges::copy(inputs, segment->inputs.begin());

  // Forward, without a record.
  Tape& child = child_of(tape);
  const std::span<Var> in = array<Var>(memory_of(child), inputs.size()),
                       out = array<Var>(memory_of(child), outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) in[i] = inputs[i] ? child.constant(tape.value(inputs[i])) : Var();
  {
    const Tape::NoGrad forward_only(child);
    call(kept, child, in, out);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!out[i]) continue;
    const View value = child.value(out[i]);
    outputs[i] = tape.make(value.dtype, value.shape, true);
    copy(value, tape.value(outputs[i]));
    segment->outputs[i] = outputs[i];
  }
  child.reset();
  tape.record("checkpoint", std::span<const Var>(outputs), [segment](Tape& t) { recompute(t, *segment); });
  // Tape::first_non_finite() uses this to name the operation inside the segment.
  tape.record_segment(segment, [](void* s, Tape& t) { run_on_child(t, *static_cast<const Segment*>(s)); });
}

}  // namespace statera
