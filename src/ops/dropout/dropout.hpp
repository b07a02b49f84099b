// Dropout, for training only: y = x m / (1 - rate), where m is 0 with probability `rate` and 1 otherwise. See
// dropout.md.
#pragma once
#include <array>
#include <string_view>

#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct Dropout {
  double rate = 0;    // dropout probability, in [0, 1); 0: none
  uint64_t seed = 0;  // should differ between passes; equal seeds drop the same elements, with any number of threads
};

// x [N, C] -> y [N, C]. `place` names the place in the model; each place has random numbers of its own. The rate is
// rounded down to a multiple of 1 / 65,536; if that is 0, returns x itself. Throws ErrorCode::config for a rate outside
// of [0, 1), ErrorCode::unsupported for 2^35 elements or more.
Var dropout(Tape&, Var x, const Dropout&, std::string_view place);

// Which elements are kept. Draw i of the random generator decides about eight elements: keep[8 i + j] is 0 if its j-th
// 16 bits are less than `dropped`, and 1 otherwise.
struct DropoutDraw {
  std::array<uint32_t, 4> counter;  // of draw 0
  std::array<uint32_t, 2> key;
  uint32_t dropped;
  uint8_t* keep;
};
// draw fills `keep` for the draws [first, end). apply computes y[i] = keep[i] ? scale x[i] : 0 for `count` elements.
// The fast apply may read up to a vector of bytes after keep[count - 1]; memory from an Arena has them.
template <class T>
struct DropoutKernels {
  Kernel<void(const DropoutDraw&, int64_t first, int64_t end) noexcept> draw;
  Kernel<void(const T* x, const uint8_t* keep, T* y, int64_t count, T scale) noexcept> apply;
};
void dropout_draw_ref(const DropoutDraw&, int64_t first, int64_t end) noexcept;
extern const DropoutKernels<double> dropout_ref_f64;
extern const DropoutKernels<float> dropout_ref_f32, dropout_cpu;
inline constexpr Kernels<DropoutKernels> dropout_kernels{
    .op = "dropout", .f64 = &dropout_ref_f64, .f32 = &dropout_ref_f32, .f32_cpu = &dropout_cpu};

std::vector<OpCase> dropout_cases();

}  // namespace statera
