// The files that this process has read, under any name. No output may replace one of them. Thread-safe.
#pragma once

namespace statera {

// Registers an open file as read. Pipes and devices are ignored, since nothing in them could be lost. Where the file
// system records creation times, a new file that got the inode number of a removed one is told apart from it.
void note_input(int descriptor);

bool is_input(int descriptor);
// The same for a file in an open folder. Follows no link; false if there is no such file.
bool is_input(int folder, const char* name);

}  // namespace statera
