// The standard descriptors of the program.
#pragma once

namespace statera::cli {

// Makes sure that 0, 1 and 2 are open, so that no file of ours becomes one of them and gets what is meant for the
// terminal. What was closed fails at the first read or write. False if the system gives none.
bool ensure_standard_descriptors();

// Whether nobody can read standard output any more: it is a pipe, and its reader has gone.
bool reader_has_gone();

}  // namespace statera::cli
