// The roof of a core: independent chains of fused multiply-adds in registers, and reads that nothing but memory holds
// up.
#pragma once
#include <cstdint>

namespace statera {

// Runs them `iterations` times and returns the number of floating point operations done.
double run_fma_chains(int64_t iterations);
// The same with dot products of pairs of bf16, added up in fp32. 0: the instruction set has no such instruction.
double run_bf16_dot_chains(int64_t iterations);
// Reads `count` floats and returns their sum, in an order of the instruction set's own.
float sum_of(const float* x, int64_t count);

}  // namespace statera
