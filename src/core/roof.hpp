// Measures what one core can do at most: independent chains of fused multiply-adds in registers, and reads that only
// memory slows down.
#pragma once
#include <cstdint>

namespace statera {

// Runs the chains `iterations` times and returns the number of floating-point operations.
double run_fma_chains(int64_t iterations);
// The same with dot products of pairs of bf16, summed in fp32. 0 if the instruction set has none.
double run_bf16_dot_chains(int64_t iterations);
// Reads `count` floats and returns their sum, in the order that suits the instruction set.
float sum_of(const float* x, int64_t count);

}  // namespace statera
