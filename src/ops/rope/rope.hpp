// rope: rotary position embedding, applied to each head of a row. See rope.md.
#pragma once
#include "core/rows.hpp"
#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct RopeOptions {
  int64_t heads = 1, headdim = 0;
  int64_t rotary_dim = 0;  // leading channels of each head that are rotated, even; 0: headdim
  double theta = 10000;
  bool interleaved = false;  // pairs (2f, 2f+1) instead of (f, f + rotary_dim/2)
};

template <class T>
struct RopeRotate {
  const T* x;                // [N, heads * headdim], rows x_stride apart
  T* y;                      // the same, rows y_stride apart; may be x
  const int64_t* positions;  // [N]
  int64_t rows, x_stride, y_stride;
  RopeOptions options;  // rotary_dim > 0
  bool inverse;         // rotate by the negative angles, as the gradient does
};

template <class T>
struct RopeKernels {
  Kernel<void(const RopeRotate<T>&, Exec&) noexcept> rotate;
};
extern const RopeKernels<double> rope_ref_f64;
extern const RopeKernels<float> rope_ref_f32, rope_cpu;
inline constexpr Kernels<RopeKernels> rope_kernels{
    .op = "rope", .f64 = &rope_ref_f64, .f32 = &rope_ref_f32, .f32_cpu = &rope_cpu};

// positions i64 [N]: row i of sequence s gets rows.start[s] + i.
void write_positions(const Rows& rows, const View& positions) noexcept;

// x [N, heads * headdim] -> y of the same shape; on Views, y may be x. Row i of sequence s is at position
// rows.start[s] + i. Throws ErrorCode::shape for a shape or a rotary_dim that does not fit.
void rope(Exec&, const View& x, const View& y, const Rows&, const RopeOptions&);
Var rope(Tape&, Var x, const Rows&, const RopeOptions&);
// The same with explicit positions: i64 [N], borrowed until the tape's reset().
Var rope(Tape&, Var x, const View& positions, const RopeOptions&);

std::vector<OpCase> rope_cases();

}  // namespace statera
