// The roof of a core: independent chains of fused multiply-adds in registers.
#pragma once
#include <cstdint>

namespace statera {

// Runs them `iterations` times and returns the number of floating point operations done.
double run_fma_chains(int64_t iterations);

}  // namespace statera
