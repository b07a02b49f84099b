// Whether statera wrote a file, by what stands in it.
#pragma once
#include <string>

namespace statera {

// A safetensors file or a database by what it says of itself, whatever it is called; a config, a log, a report or a
// page by its name and the words that one of ours has near its beginning. False for what cannot be read.
bool says_it_is_ours(const std::string& path);

// The same of what a user names and may replace as he likes: the table of score --per-byte, the JSON of bench.
bool is_named_output(const std::string& path);

// A hidden file that somebody, maybe this process, writes just now and will rename to its name.
bool is_being_written(const std::string& path);

}  // namespace statera
