// Var and Tape: reverse-mode differentiation over coarse operations (a matrix product, a scan, a norm: never an
// element).
//
// The tape owns the values and gradients of one step; reset() forgets them and keeps the memory, so that steps of equal
// shapes allocate nothing from the heap. A gradient is freed as soon as the operation that made its value has used it;
// a value that forward is done with and that is cheap to make again can be forgotten, and is made again when backward
// asks for it. Not thread safe: one tape, one thread; the kernels inside use the device's pool.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "statera/device.hpp"
#include "statera/tensor.hpp"

namespace statera {

class Tape;

// A value on a tape, by number; valid until the tape's reset(). A library that is built without NDEBUG (not the release
// preset) throws ErrorCode::unsupported for one that is used later, or on another tape.
struct Var {
  int32_t id = -1;
  // of its tape since the last reset(), for that check alone; 0 under NDEBUG, so that both builds have one layout
  uint32_t stamp = 0;
  explicit operator bool() const { return id >= 0; }
};

// Where an operation's backward writes the gradient of an input. It overwrites all of view(); what arrived earlier,
// from other operations, is added when the sink goes out of scope. So backward functions know one rule: overwrite.
//
// Borrows the tape, and may own scratch memory of it: sinks of one tape must end in the opposite order to that in which
// they began. Like the tape, for one thread.
class GradSink {
 public:
  enum class Wanted {
    needed,  // view() is empty where nobody needs this gradient
    always,  // memory all the same, for kernels that make several gradients at once
    whole,   // what is written contains what arrived earlier: a segment that is run again went on from there
  };
  GradSink(Tape& tape, Var var, Wanted wanted = Wanted::needed);
  // Of some rows of a matrix, for tables of which few are read: view() is [rows.size(), C], row i of it is added to row
  // rows[i], and no row is named twice. `rows` must live as long as the sink.
  GradSink(Tape& tape, Var matrix, std::span<const int32_t> rows);
  // Of a parameter that is not on the tape: added to `sum`, which may be empty.
  GradSink(Tape& tape, const View& sum);
  ~GradSink();
  GradSink(const GradSink&) = delete;
  GradSink& operator=(const GradSink&) = delete;
  const View& view() const { return view_; }
  template <class T>
  T* as() const {
    return view_.as<T>();
  }

 private:
  void take(DType dtype, const Shape& shape);

  Tape& tape_;
  View view_, sum_;
  std::span<const int32_t> rows_ = {};  // of sum_; empty: all
  RowSet* touched_ = nullptr;           // gets rows_ too
  // whether view_ is scratch memory of the sink's own, which is added to sum_ (if any) and given back at the end
  bool own_ = false;
  struct {
    size_t block, used, total;
  } before_{};
};

class Tape {
 public:
  explicit Tape(Device device = Device::best());
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // Values. The Views are borrowed until reset(); nobody may change the elements of `value` until then.
  //
  // A leaf, such as a parameter: its gradients are added to `grad`. With an empty `grad` it is a constant.
  Var leaf(const View& value, const View& grad);
  // A table of which a step reads few rows: `touched` gets the rows of `grad` that were written. Only operations that
  // read rows may use it; an operation that asks for the gradient of the whole table throws ErrorCode::unsupported.
  Var leaf(const View& value, const View& grad, RowSet& touched);
  Var constant(const View& value);
  Var input(const View& value);  // its gradient is kept until reset(): see grad()
  // The columns begin .. begin + count - 1 of a matrix, without a copy: a part of a projection (z | x | B | C | dt).
  Var columns(Var matrix, int64_t begin, int64_t count);
  // The value, valid until forget() or reset(). A forgotten value is computed again, and is then valid until backward
  // has passed the operation that made it.
  View value(Var) const;
  double item(Var) const;  // the only element of a scalar

  // One backward pass from a scalar, with gradient 1; or from several values with the given gradients. Throws
  // ErrorCode::shape if a shape does not fit, and ErrorCode::unsupported for a second pass before reset(), since the
  // first one frees memory that the second would need.
  void backward(Var loss);
  void backward(std::span<const Var> outputs, std::span<const View> grads);
  View grad(Var) const;  // empty when none flowed

  void reset();
  const Device& device() const;
  void set_precision(Precision);  // of what runs from now on; not between a forward pass and its backward
  size_t bytes() const;  // memory in use or waiting for its next use; peak_bytes(): the most since construction
  size_t peak_bytes() const;

  // Frees the memory of a value that no later operation reads in forward. Backward computes it again when it asks for
  // it, together with the forgotten values that it depends on. What was made under NoGrad cannot be computed again.
  // Throws ErrorCode::unsupported if the operation was recorded without a `forward` (record()); see can_forget().
  void forget(Var);
  bool can_forget(Var) const;

  // --- for operations ---
  Var make(DType, const Shape&, bool needs_grad);  // an output, not initialised
  bool needs_grad(Var) const;
  template <class... Vars>
  bool any_needs_grad(Vars... vars) const {
    return (... || (vars && needs_grad(vars)));
  }
  // `backward` is called as backward(tape) when a gradient reached one of `outputs`. It is copied into tape memory, so
  // it captures Vars, numbers and pointers, and Views of memory that lives until reset(); not of values, which may be
  // forgotten. `op` must be a string literal.
  template <class F>
  void record(const char* op, std::span<const Var> outputs, F backward) {
    static_assert(std::is_trivially_destructible_v<F> && std::is_trivially_copyable_v<F>,
                  "capture Vars, Views, numbers and pointers");
    void* at = add_op(op, outputs, sizeof(F), [](void* f, Tape& tape) { (*static_cast<F*>(f))(tape); });
    if (at) new (at) F(backward);
  }
  template <class F>
  void record(const char* op, std::initializer_list<Var> outputs, F backward) {
    record(op, std::span(outputs.begin(), outputs.size()), backward);
  }
  // `forward` is called as forward(tape) and writes the values of all `outputs`, the same bits as before. It makes
  // nothing on the tape.
  template <class F, class G>
  void record(const char* op, std::initializer_list<Var> outputs, F backward, G forward) {
    static_assert(std::is_trivially_destructible_v<G> && std::is_trivially_copyable_v<G>,
                  "capture Vars, numbers and pointers");
    record(op, outputs, backward);
    void* at = add_forward(sizeof(G), [](void* g, Tape& tape) { (*static_cast<G*>(g))(tape); });
    if (at) new (at) G(forward);
  }

  // A name for error messages, "layers.3.mixer". Scopes nest; each borrows the tape.
  class Scope {
   public:
    Scope(Tape& tape, std::string_view name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Tape& tape_;
    int32_t outer_;
  };
  // Where the first value that is not finite was made: "[ssd] layers.3.mixer: inf"; empty if all are finite.
  std::string first_non_finite() const;
  // For finding out why a step failed; slow. Backward then checks each gradient and throws ErrorCode::numeric at the
  // first that is not finite, naming the place as first_non_finite() does.
  void check_gradients(bool on);

  // While one lives, operations keep nothing for backward. They nest; each borrows the tape.
  class NoGrad {
   public:
    explicit NoGrad(Tape& tape);
    ~NoGrad();

   private:
    Tape& tape_;
    bool before_;
  };

 private:
  friend class GradSink;
  friend struct TapeAccess;  // autograd/operations.hpp: what the engine's own operations use beside the above
  friend void checkpoint_erased(Tape&, std::span<const Var> inputs, std::span<Var> outputs, const void* segment,
                                size_t segment_bytes,
                                void (*call)(const void*, Tape&, std::span<const Var>, std::span<Var>));
  // of the last operation: runs on the child, with a record
  void record_segment(void* segment, void (*run)(void*, Tape&));
  void* add_op(const char* op, std::span<const Var> outputs, size_t closure_bytes, void (*call)(void*, Tape&));
  void* add_forward(size_t closure_bytes, void (*call)(void*, Tape&));  // of the last operation
  void make_again(int32_t id) const;
  struct Target {
    View view;  // empty: nobody needs this gradient
    bool accumulate = false;
  };
  Target target(Var);
  Target column_target(Var);

  struct State;
  std::unique_ptr<State> state_;
};

// Activation checkpointing: runs segment(tape, inputs, outputs) and keeps only inputs and outputs; backward runs it
// again. The segment must be pure and capture only trivially copyable things that outlive the tape's reset().
void checkpoint_erased(Tape&, std::span<const Var> inputs, std::span<Var> outputs, const void* segment,
                       size_t segment_bytes, void (*call)(const void*, Tape&, std::span<const Var>, std::span<Var>));
template <class F>
void checkpoint(Tape& tape, std::span<const Var> inputs, std::span<Var> outputs, const F& segment) {
  static_assert(std::is_trivially_copyable_v<F>);
  checkpoint_erased(tape, inputs, outputs, &segment, sizeof(F),
                    [](const void* f, Tape& t, std::span<const Var> in, std::span<Var> out) {
                      (*static_cast<const F*>(f))(t, in, out);
                    });
}

}  // namespace statera
