// What the engine's own operations use of a Tape beside its public part. What these functions return refers to
// memory of the tape. Like the tape itself, they are for one thread at a time.
#pragma once
#include "core/arena.hpp"
#include "core/exec.hpp"
#include "core/rows.hpp"
#include "statera/tape.hpp"

namespace statera {

Exec exec_of(Tape&);      // what a kernel needs to run now: threads, scratch memory, choice of kernels, precision
Arena& memory_of(Tape&);  // memory that lives until reset(), for what backward needs beside the values
View value_or_empty(const Tape&, Var);  // the value of an optional input; empty if there is none
Rows keep(Tape&, const Rows&);          // a copy in the memory of memory_of()
Tape& child_of(Tape&);                  // the tape on which checkpoint() runs its segments; made at first use and kept

}  // namespace statera
