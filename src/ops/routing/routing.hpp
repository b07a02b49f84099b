// routing: the probability that a segment begins at a position, from the cosine of a query of the position before and a
// key of its own. See routing.md.
#pragma once
#include "core/rows.hpp"
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

template <class T>
struct RoutingForward {
  const T *q, *k;  // [N, D], rows q_stride, k_stride apart; q in row t is of position t - 1
  T* p;            // [N]
  Rows rows;
  int64_t width, q_stride, k_stride;  // D
};

template <class T>
struct RoutingBackward {
  RoutingForward<T> in;  // p unused
  const T* dp;           // [N]
  T *dq, *dk;            // [N, D], rows dq_stride, dk_stride apart; each may be null
  int64_t dq_stride, dk_stride;
};

template <class T>
struct RoutingKernels {
  Kernel<void(const RoutingForward<T>&, Exec&) noexcept> forward;
  Kernel<void(const RoutingBackward<T>&, Exec&) noexcept> backward;
};
extern const RoutingKernels<double> routing_ref_f64;
extern const RoutingKernels<float> routing_ref_f32, routing_cpu;
inline constexpr Kernels<RoutingKernels> routing_kernels{
    .op = "routing", .f64 = &routing_ref_f64, .f32 = &routing_ref_f32, .f32_cpu = &routing_cpu};

// norms below this count as this
constexpr double routing_eps = 1e-12;

// Whether row t is the first of a new sequence: the first row of one that starts at position 0.
struct FirstRows {
  const Rows& rows;
  int64_t s = 0;
  bool operator()(int64_t t) {  // for rising t
    while (s + 1 < rows.sequences() && t >= rows.begin(s + 1)) ++s;
    return t == rows.begin(s) && rows.start[static_cast<size_t>(s)] == 0;
  }
};

// q, k [N, D] -> p [N]. Throws ErrorCode::shape.
Var routing(Tape&, Var q, Var k, const Rows&);
void routing(Exec&, const View& q, const View& k, const Rows&, const View& p);

std::vector<OpCase> routing_cases();

}  // namespace statera
