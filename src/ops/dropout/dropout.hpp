// Dropout, of training alone: y = x m / (1 - rate), m 0 with probability `rate` and else 1 (dropout.md).
#pragma once
#include <array>
#include <string_view>

#include "kernels/kernels.hpp"
#include "ops/op_case.hpp"
#include "statera/tape.hpp"

namespace statera {

struct Dropout {
  double rate = 0;    // in [0, 1); 0: none
  uint64_t seed = 0;  // another one for each pass; the same one drops the same elements, whatever the threads
};

// x [N, C] of the place `place` in the model, which has its own random numbers. x itself if the rate is 0. Throws
// config for an impossible rate.
Var dropout(Tape&, Var x, const Dropout&, std::string_view place);

// keep[8 i + j] of the draws i from first to end: 0 if the j-th 16 bits of draw i are less than `dropped`, else 1.
struct DropoutDraw {
  std::array<uint32_t, 4> counter;  // of draw 0
  std::array<uint32_t, 2> key;
  uint32_t dropped;
  uint8_t* keep;
};
// y[i] = keep[i] ? scale x[i] : 0, for `count` elements. The fast one reads up to a vector of bytes behind
// keep[count - 1]; memory from an Arena has them.
template <class T>
struct DropoutKernels {
  const char* name;
  void (*draw)(const DropoutDraw&, int64_t first, int64_t end) noexcept;
  void (*apply)(const T* x, const uint8_t* keep, T* y, int64_t count, T scale) noexcept;
};
void dropout_draw_ref(const DropoutDraw&, int64_t first, int64_t end) noexcept;
extern const DropoutKernels<double> dropout_ref_f64;
extern const DropoutKernels<float> dropout_ref_f32, dropout_cpu;
inline constexpr Kernels<DropoutKernels> dropout_kernels{
    .op = "dropout", .f64 = &dropout_ref_f64, .f32 = &dropout_ref_f32, .f32_cpu = &dropout_cpu};

std::vector<OpCase> dropout_cases();

}  // namespace statera
