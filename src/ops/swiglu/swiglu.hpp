// swiglu: y = silu(gate) * up, element by element. See swiglu.md.
#pragma once
#include "core/exec.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

template <class T> struct SwigluForward {
  const T *gate, *up;  // [N, d_ff], rows `stride` apart
  T* y;                // [N, d_ff], dense
  int64_t rows, d_ff, stride;
};

template <class T> struct SwigluBackward {
  const T *gate, *up, *dy;
  T *dgate, *dup;  // [N, d_ff], rows `dstride` apart; overwritten
  int64_t rows, d_ff, stride, dstride;
};

template <class T> struct SwigluKernels {
  const char* name;
  void (*forward)(const SwigluForward<T>&, Exec&) noexcept;
  void (*backward)(const SwigluBackward<T>&, Exec&) noexcept;
};
extern const SwigluKernels<double> swiglu_ref_f64;
extern const SwigluKernels<float> swiglu_ref_f32, swiglu_cpu;

// gate_up [N, 2 d_ff], the gate first -> y [N, d_ff]. Throws shape for an odd width.
void swiglu(Exec&, const View& gate_up, const View& y);
Var swiglu(Tape&, Var gate_up);

std::vector<OpCase> swiglu_cases();

}  // namespace statera
