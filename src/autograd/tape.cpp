#include "statera/tape.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <vector>

#include "autograd/operations.hpp"
#include "core/check.hpp"
#include "kernels/view_kernels.hpp"

namespace statera {

namespace {
// What a Var stands for: a value and its gradient, which is empty until one arrives unless it is persistent.
struct Node {
  View value, grad;
  // persistent: the gradient's memory is the caller's, or kept until reset()
  bool needs_grad = false, persistent = false;
  // For columns of a matrix: the node of the whole matrix and the first column within it. The gradient of the columns
  // is part of the gradient of that matrix.
  int32_t whole = -1;
  int64_t first_column = 0;
  // For columns: they share some with another node; their gradient has arrived.
  bool overlaps = false, written = false;
  // For a matrix: so far only its columns have written into its gradient, so the rest of it is not initialised.
  bool only_parts = false;
  int32_t op = -1;  // the operation that made it; -1: none
  // forgotten: the value has no memory. made_again: it was recomputed and stays until the backward of its operation.
  bool forgotten = false, made_again = false;
  RowSet* touched = nullptr;  // of a leaf that is trained by rows
};

// A recorded operation. Its closures lie in the memory of the tape.
struct Op {
  const char* name;
  int32_t scope, first_output, outputs;  // index into State::scopes; the first of its outputs in State::op_outputs
  void* closure;                         // the argument of `call`, its backward; null: nothing to do in backward
  void (*call)(void*, Tape&);
  bool recorded;            // false: made under NoGrad; nothing is kept for backward, which never reads its values
  void* forward = nullptr;  // the argument of `call_forward`, which recomputes its outputs; null: not possible
  void (*call_forward)(void*, Tape&) = nullptr;
  void* segment = nullptr;  // of a checkpoint: the argument of `run_segment`, which runs it again on the child
  void (*run_segment)(void*, Tape&) = nullptr;
};

#ifdef NDEBUG
constexpr bool stamps = false;
#else
constexpr bool stamps = true;
#endif

// A new number for every tape and every reset(). A Var carries the number of its tape, so one that is used after
// reset() or on another tape is recognised. Atomic, since several threads may make tapes.
uint32_t next_stamp() {
  if constexpr (!stamps) return 0;
  static std::atomic<uint32_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::string name_number(double bad) { return std::isnan(bad) ? "nan" : bad > 0 ? "inf" : "-inf"; }
}  // namespace

struct Tape::State {
  explicit State(Device device) : device(std::move(device)) {}
  Device device;
  Arena values, grads, own_scratch;
  Arena* scratch = &own_scratch;  // a child uses its parent's, since the child runs within an operation of the parent
  std::vector<Node> nodes;
  std::vector<Op> ops;
  std::vector<int32_t> op_outputs;
  std::vector<View> free;  // memory of gradients and values that nobody needs any more, for the next of the same size
  std::vector<std::string> scopes{""};   // all names so far; they survive reset()
  int32_t scope = 0;                     // index of the current one
  bool recording = true, check = false;  // check: see check_gradients()
  bool backward_ran = false;             // since reset(): the values and gradients that a second one needs are gone
  std::unique_ptr<Tape> child;

  uint32_t stamp = next_stamp();

  Node& node(Var var) {
    if constexpr (stamps)
      require(var.stamp == stamp, ErrorCode::unsupported, "[tape] ",
              var ? "a Var of another tape, or from before reset()" : "a Var that stands for no value",
              "; use one that this tape has made since its last reset");
    return nodes.at(static_cast<size_t>(var.id));
  }
  Var var(int32_t id) const { return {id, stamp}; }
  Var newest() const { return var(static_cast<int32_t>(nodes.size()) - 1); }
  View take(Arena& arena, const Shape& shape, DType dtype);
  void give_back(const View& view);
  void release(Node& node);
  std::span<const int32_t> outputs(const Op& op) const {
    return std::span(op_outputs).subspan(static_cast<size_t>(op.first_output), static_cast<size_t>(op.outputs));
  }
  void zero_unwritten(int32_t matrix);
  std::string place(const Op& op) const {
    const std::string& where = scopes[static_cast<size_t>(op.scope)];
    return std::string("[") + op.name + "]" + (where.empty() ? "" : " " + where);
  }
};

Tape::Tape(Device device) : state_(std::make_unique<State>(std::move(device))) {}
Tape::~Tape() = default;

// Memory that is not initialised: the newest free piece of exactly this size, or else new memory from the arena.
View Tape::State::take(Arena& arena, const Shape& shape, DType dtype) {
  const size_t bytes = static_cast<size_t>(shape.elements()) * size_of(dtype);
  for (size_t i = free.size(); i-- > 0;)
    if (free[i].bytes() == bytes) {
      const View found(free[i].data, dtype, shape);
      free[i] = free.back();
      free.pop_back();
      return found;
    }
  return arena.allocate(dtype, shape);
}

void Tape::State::give_back(const View& view) {
  Arena::poison(view.data, view.bytes());
  free.push_back(view);
}

// Frees the value of a node; make_again() can bring it back.
void Tape::State::release(Node& node) {
  give_back(node.value);
  node.value.data = nullptr;
  node.forgotten = true;
  node.made_again = false;
}

Var Tape::leaf(const View& value, const View& grad) {
  state_->nodes.push_back({value, grad, !grad.empty() && state_->recording, true});
  return state_->newest();
}

Var Tape::leaf(const View& value, const View& grad, RowSet& touched) {
  const Var var = leaf(value, grad);
  state_->node(var).touched = &touched;
  return var;
}

Var Tape::constant(const View& value) { return leaf(value, {}); }

Var Tape::input(const View& value) {
  const View grad = state_->values.allocate(value.dtype, value.shape);
  fill_zero(grad);
  return leaf(value, grad);
}

Var Tape::columns(Var matrix, int64_t begin, int64_t count) {
  const View view = value(matrix).columns(begin, count);
  int32_t whole = matrix.id;
  if (const Node& outer = state_->node(matrix); outer.whole >= 0) {  // columns of columns are columns of the whole
    whole = outer.whole;
    begin += outer.first_column;
  }
  Node part{view, {}, needs_grad(matrix), false, whole, begin};
  // Parts that share columns must add their gradients and cannot overwrite.
  for (size_t i = static_cast<size_t>(whole) + 1; i < state_->nodes.size(); ++i) {
    Node& other = state_->nodes[i];
    if (other.whole == whole && other.first_column < begin + count && begin < other.first_column + other.value.cols())
      other.overlaps = part.overlaps = true;
  }
  state_->nodes.push_back(part);
  return state_->newest();
}

View Tape::value(Var var) const {
  const Node& node = state_->node(var);
  if (node.whole >= 0) return value(state_->var(node.whole)).columns(node.first_column, node.value.cols());
  if (node.forgotten) make_again(var.id);
  return node.value;
}

bool Tape::can_forget(Var var) const {
  const Node& node = state_->node(var);
  if (node.op < 0) return false;
  const Op& op = state_->ops[static_cast<size_t>(node.op)];
  return op.forward || !op.recorded;
}

void Tape::forget(Var var) {
  Node& node = state_->node(var);
  require(can_forget(var), ErrorCode::unsupported, "[tape] ",
          node.op < 0 ? "a value that no operation made" : state_->ops[static_cast<size_t>(node.op)].name,
          " cannot be made again");
  if (!node.forgotten) state_->release(node);
}

// Recomputes a forgotten value, and with it the other outputs of its operation. The closure may ask for further
// forgotten values, which are recomputed in turn.
void Tape::make_again(int32_t id) const {
  State& s = *state_;
  const Op op = s.ops[static_cast<size_t>(s.nodes[static_cast<size_t>(id)].op)];
  require(op.forward, ErrorCode::unsupported, "[tape] the value of ", op.name,
          " was forgotten where nothing is kept for backward");
  const FlushDenormals flush(pool_of(device()));
  for (int32_t output : s.outputs(op)) {  // the closure writes all outputs, so all of them need memory
    Node& node = s.nodes[static_cast<size_t>(output)];
    if (!node.forgotten) continue;
    node.value = s.take(s.values, node.value.shape, node.value.dtype);
    node.forgotten = false;
    node.made_again = true;
  }
  try {
    op.call_forward(op.forward, const_cast<Tape&>(*this));
  } catch (...) {  // the values may be half-written
    for (int32_t output : s.outputs(op))
      if (Node& node = s.nodes[static_cast<size_t>(output)]; node.made_again) s.release(node);
    throw;
  }
}

double Tape::item(Var var) const { return number_in(value(var)); }

Var Tape::make(DType dtype, const Shape& shape, bool needs_grad) {
  state_->nodes.push_back({state_->take(state_->values, shape, dtype), {}, needs_grad && state_->recording, false});
  return state_->newest();
}

bool Tape::needs_grad(Var var) const { return state_->node(var).needs_grad; }

void* Tape::add_op(const char* op, std::span<const Var> outputs, size_t closure_bytes, void (*call)(void*, Tape&)) {
  State& s = *state_;
  bool wanted = false;
  const auto first = static_cast<int32_t>(s.op_outputs.size());
  for (Var var : outputs) {
    if (!var) continue;
    s.op_outputs.push_back(var.id);
    s.node(var).op = static_cast<int32_t>(s.ops.size());
    wanted = wanted || needs_grad(var);
  }
  void* closure = wanted ? s.values.allocate(closure_bytes) : nullptr;
  s.ops.push_back({op, s.scope, first, static_cast<int32_t>(s.op_outputs.size()) - first, closure, call, s.recording});
  return closure;
}

void* Tape::add_forward(size_t closure_bytes, void (*call)(void*, Tape&)) {
  State& s = *state_;
  Op& op = s.ops.back();
  if (!op.recorded) return nullptr;
  op.call_forward = call;
  return op.forward = s.values.allocate(closure_bytes);
}

// Where a gradient of `var` is to be written, and whether it must be added to what is there.
Tape::Target Tape::target(Var var) {
  if (!var) return {};
  Node& node = state_->node(var);
  if (!node.needs_grad) return {};
  if (node.whole >= 0) return column_target(var);
  if (node.only_parts) state_->zero_unwritten(var.id);
  if (!node.grad.empty()) return {node.grad, true};
  node.grad = state_->take(state_->grads, node.value.shape, node.value.dtype);
  return {node.grad, false};
}

// The same for columns: they write into the gradient of the whole matrix. The first gradient of a part that overlaps no
// other part overwrites its columns. What no part has written is zeroed before anyone reads the whole.
Tape::Target Tape::column_target(Var var) {
  Node& part = state_->node(var);
  Node& whole = state_->nodes[static_cast<size_t>(part.whole)];
  if (whole.grad.empty()) {
    whole.grad = state_->take(state_->grads, whole.value.shape, whole.value.dtype);
    whole.only_parts = true;
  }
  if (part.overlaps && whole.only_parts) state_->zero_unwritten(part.whole);
  const bool first = whole.only_parts && !part.written;
  part.written = true;
  return {whole.grad.columns(part.first_column, part.value.cols()), !first};
}

// Completes a gradient that only parts have written into: zeroes the columns that no part has written. `column` goes
// from the beginning of one written part, or one gap, to the next.
void Tape::State::zero_unwritten(int32_t matrix) {
  Node& whole = nodes[static_cast<size_t>(matrix)];
  whole.only_parts = false;
  for (int64_t column = 0, end = 0; column < whole.value.cols(); column = end) {
    end = whole.value.cols();
    bool written = false;
    for (size_t i = static_cast<size_t>(matrix) + 1; i < nodes.size() && !written; ++i) {
      const Node& part = nodes[i];
      if (part.whole != matrix || !part.written) continue;
      written = part.first_column <= column && column < part.first_column + part.value.cols();
      if (written)
        end = part.first_column + part.value.cols();
      else if (part.first_column > column)
        end = std::min(end, part.first_column);
    }
    if (!written) fill_zero(whole.grad.columns(column, end - column));
  }
}

View Tape::grad(Var var) const { return var ? state_->node(var).grad : View(); }

GradSink::GradSink(Tape& tape, Var var, Wanted wanted) : tape_(tape) {
  const Tape::Target target = tape.target(var);
  require(target.view.empty() || !tape.state_->node(var).touched, ErrorCode::unsupported,
          "[tape] a table that is trained by rows cannot get the gradient of a whole matrix");
  view_ = target.view;
  if (target.accumulate && wanted != Wanted::whole) {
    sum_ = target.view;
    take(sum_.dtype, sum_.shape);
  } else if (view_.empty() && var && wanted == Wanted::always) {
    const View value = tape.value(var);
    take(value.dtype, value.shape);
  }
}

GradSink::GradSink(Tape& tape, Var matrix, std::span<const int32_t> rows) : tape_(tape), rows_(rows) {
  const Tape::Target target = tape.target(matrix);
  if (target.view.empty()) return;
  if (!target.accumulate) fill_zero(target.view);
  sum_ = target.view;
  touched_ = tape.state_->node(matrix).touched;
  take(sum_.dtype, {static_cast<int64_t>(rows.size()), sum_.cols()});
}

GradSink::GradSink(Tape& tape, const View& sum) : tape_(tape), sum_(sum) {
  if (!sum.empty()) take(sum.dtype, sum.shape);
}

void GradSink::take(DType dtype, const Shape& shape) {
  Arena& scratch = *tape_.state_->scratch;
  const Arena::Mark mark = scratch.mark();
  before_ = {mark.block, mark.used, mark.total};
  view_ = scratch.allocate(dtype, shape);
  own_ = true;
}

GradSink::~GradSink() {
  if (!own_) return;
  if (!sum_.empty() && std::uncaught_exceptions() == 0) {  // during an exception view_ may not have been written
    Exec exec = exec_of(tape_);
    if (rows_.data()) {
      if (touched_) touched_->add(rows_);
      add_to_rows(exec, view_, rows_, sum_);
    } else {
      add_to(exec, view_, sum_);
    }
  }
  tape_.state_->scratch->release({before_.block, before_.used, before_.total});
}

void Tape::backward(Var loss) {
  const View v = value(loss);
  require(v.elements() == 1, ErrorCode::shape, "[tape] backward needs a scalar, got ", v.shape);
  double one64 = 1;
  float one32 = 1;
  const View one(v.dtype == DType::f64 ? static_cast<void*>(&one64) : &one32, v.dtype, v.shape);
  backward(std::span(&loss, 1), std::span(&one, 1));
}

void Tape::backward(std::span<const Var> outputs, std::span<const View> grads) {
  State& s = *state_;
  require(!s.backward_ran, ErrorCode::unsupported,
          "[tape] backward ran already on this tape: give all outputs to one call, or reset() first");
  s.backward_ran = true;
  const FlushDenormals flush(pool_of(device()));
  // The gradients to start from.
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i] || !needs_grad(outputs[i]) || grads[i].empty()) continue;
    const GradSink seed(*this, outputs[i]);
    copy(grads[i], seed.view());
  }
  for (size_t i = s.ops.size(); i-- > 0;) {
    const Op op = s.ops[i];
    const auto outs = s.outputs(op);
    bool reached = false;
    for (int32_t id : outs) {
      if (s.nodes[static_cast<size_t>(id)].only_parts) s.zero_unwritten(id);
      const View grad = s.nodes[static_cast<size_t>(id)].grad;
      reached = reached || !grad.empty();
      if (s.check)
        if (const double bad = grad.empty() ? 0 : statera::first_non_finite(grad); bad != 0)
          fail(ErrorCode::numeric, s.place(op), ": the gradient of its output is ", name_number(bad));
    }
    if (op.closure && reached) op.call(op.closure, *this);
    // These gradients have been used; their memory serves the next ones.
    for (int32_t id : outs) {
      Node& node = s.nodes[static_cast<size_t>(id)];
      if (!node.grad.empty() && !node.persistent) {
        s.give_back(node.grad);
        node.grad = {};
      }
      if (node.made_again) s.release(node);  // all its readers ran after its operation, so backward has passed them
    }
  }
}

void Tape::reset() {
  State& s = *state_;
  s.stamp = next_stamp();
  s.backward_ran = false;
  s.nodes.clear();
  s.ops.clear();
  s.op_outputs.clear();
  s.free.clear();
  s.values.reset();
  s.grads.reset();
  s.own_scratch.reset();
  if (s.child) s.child->reset();
}

const Device& Tape::device() const { return state_->device; }
void Tape::set_precision(Precision precision) {
  state_->device = state_->device.with(precision);
  if (state_->child) state_->child->set_precision(precision);
}
size_t Tape::bytes() const {
  return state_->values.used() + state_->grads.used() + (state_->child ? state_->child->bytes() : 0);
}
size_t Tape::peak_bytes() const {
  return state_->values.peak() + state_->grads.peak() + state_->own_scratch.peak() +
         (state_->child ? state_->child->peak_bytes() : 0);
}

struct TapeAccess {
  static Tape::State& state(Tape& tape) { return *tape.state_; }
};

Exec exec_of(Tape& tape) {
  auto& s = TapeAccess::state(tape);
  return {pool_of(s.device), *s.scratch, s.device.kernels(), s.device.precision()};
}

Arena& memory_of(Tape& tape) { return TapeAccess::state(tape).values; }

View value_or_empty(const Tape& tape, Var var) { return var ? tape.value(var) : View(); }

Rows keep(Tape& tape, const Rows& rows) {
  const size_t n = rows.start.size();
  auto* offsets = memory_of(tape).allocate_array<int32_t>(static_cast<int64_t>(n) + 1);
  auto* start = memory_of(tape).allocate_array<int64_t>(static_cast<int64_t>(n));
  std::copy_n(rows.offsets.begin(), n + 1, offsets);
  std::copy_n(rows.start.begin(), n, start);
  auto* breaks = memory_of(tape).allocate_array<int32_t>(static_cast<int64_t>(rows.breaks.size()));
  std::ranges::copy(rows.breaks, breaks);
  return {{offsets, n + 1}, {start, n}, {breaks, rows.breaks.size()}};
}

Tape::Scope::Scope(Tape& tape, std::string_view name) : tape_(tape), outer_(tape.state_->scope) {
  State& s = *tape.state_;
  const std::string& outer = s.scopes[static_cast<size_t>(outer_)];
  const size_t wanted = outer.size() + (outer.empty() ? 0 : 1) + name.size();
  // Later steps find the name here and allocate nothing.
  for (size_t i = 0; i < s.scopes.size(); ++i) {
    const std::string_view known = s.scopes[i];
    if (known.size() == wanted && known.starts_with(outer) && known.ends_with(name) &&
        (outer.empty() || known[outer.size()] == '.')) {
      s.scope = static_cast<int32_t>(i);
      return;
    }
  }
  s.scopes.push_back(outer.empty() ? std::string(name) : outer + "." + std::string(name));
  s.scope = static_cast<int32_t>(s.scopes.size()) - 1;
}
Tape::Scope::~Scope() { tape_.state_->scope = outer_; }

std::string Tape::first_non_finite() const {
  State& s = *state_;
  for (const Op& op : s.ops) {
    double bad = 0;
    for (int32_t id : s.outputs(op))
      if (bad == 0 && (op.forward || !s.nodes[static_cast<size_t>(id)].forgotten))
        bad = statera::first_non_finite(value(s.var(id)));
    for (Node& node : s.nodes)
      if (node.made_again) s.release(node);  // so that memory does not fill with recomputed values
    if (bad == 0) continue;
    std::string inside;  // the place within a checkpointed segment
    if (op.segment) {
      op.run_segment(op.segment, const_cast<Tape&>(*this));
      inside = s.child->first_non_finite();
      s.child->reset();
    }
    return inside.empty() ? s.place(op) + ": " + name_number(bad) : inside;
  }
  return {};
}

void Tape::record_segment(void* segment, void (*run)(void*, Tape&)) {
  state_->ops.back().segment = segment;
  state_->ops.back().run_segment = run;
}

void Tape::check_gradients(bool on) {
  state_->check = on;
  if (state_->child) state_->child->check_gradients(on);
}

Tape& child_of(Tape& tape) {
  auto& s = TapeAccess::state(tape);
  if (!s.child) {
    s.child = std::make_unique<Tape>(s.device);
    s.child->check_gradients(s.check);
    TapeAccess::state(*s.child).scratch = s.scratch;
  }
  return *s.child;
}

Tape::NoGrad::NoGrad(Tape& tape) : tape_(tape), before_(tape.state_->recording) { tape.state_->recording = false; }
Tape::NoGrad::~NoGrad() { tape_.state_->recording = before_; }

}  // namespace statera
