// What the engine's own operations use of a Tape, beside its public part.
#pragma once
#include "core/arena.hpp"
#include "core/exec.hpp"
#include "core/rows.hpp"
#include "statera/tape.hpp"

namespace statera {

Exec exec_of(Tape&);                    // for kernels that run now
Arena& memory_of(Tape&);                // lives until reset(): for what backward needs beside the values
View value_or_empty(const Tape&, Var);  // of an optional input: empty for the Var of none
Rows keep(Tape&, const Rows&);          // a copy in that memory
Tape& child_of(Tape&);  // a tape for a recomputed segment; made at first use and kept. See checkpoint().

}  // namespace statera
