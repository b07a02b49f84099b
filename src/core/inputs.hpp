// The files that this process has read from, whatever they are called. What is written must not be one of them.
#pragma once

namespace statera {

// Whoever opens a file to read it calls this. A pipe or a device is nothing that could be lost. A file that is removed
// and another one that the system gives the same number are told apart, where the file system keeps the time at which a
// file was made.
void note_input(int descriptor);

bool is_input(int descriptor);
// of a file in an open folder; no link is followed, and what is not there is none
bool is_input(int folder, const char* name);

}  // namespace statera
