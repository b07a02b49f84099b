// Whether statera wrote a file, by what stands in it.
#pragma once
#include <string>

namespace statera {

// A safetensors file or a database by what it says of itself, whatever it is called; a config, a log, a report or a page by its name and the words
// that one of ours has near its beginning. False for what cannot be read.
bool says_it_is_ours(const std::string& path);

}  // namespace statera
