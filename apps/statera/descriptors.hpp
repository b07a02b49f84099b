// The standard descriptors of the program.
#pragma once

namespace statera::cli {

// Makes sure that descriptors 0, 1 and 2 are open. Otherwise a file of ours could become one of them and get what is
// meant for the terminal. Using one that was closed fails at the first read or write. Returns false if the system gives
// none.
bool ensure_standard_descriptors();

// Whether standard output is a pipe whose reader has gone.
bool reader_has_gone();

}  // namespace statera::cli
