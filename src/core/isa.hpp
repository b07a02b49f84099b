// The instruction set of the fast kernels, as the environment and the CPU allow it.
#pragma once

namespace statera {

// Applies the environment variable STATERA_ISA, once per process. Throws ErrorCode::device if it names an instruction
// set that is unknown or that this machine lacks.
void apply_environment_isa();
// Whether this CPU has the 8-bit dot products of AVX-512. None of the Highway targets used here includes them.
bool has_avx512_vnni() noexcept;
bool has_avx512_bf16() noexcept;  // the same for dot products of pairs of bf16

}  // namespace statera
