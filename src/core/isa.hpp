// The environment's say in which instruction set the fast kernels run on.
#pragma once

namespace statera {

// Obeys STATERA_ISA, once for the process. Throws device for a name that is unknown or that this machine lacks.
void apply_environment_isa();
// Whether this CPU has the 8-bit dot products of AVX-512, which belong to no target of Highway's here.
bool has_avx512_vnni() noexcept;
bool has_avx512_bf16() noexcept;  // the same, of pairs of bf16

}  // namespace statera
