// Tells by its contents whether statera wrote a file.
#pragma once
#include <string>

namespace statera {

// Safetensors files and databases say so themselves, whatever their names are. Configs, logs, reports and pages are
// recognised by their names and by words near their beginning. False for a file that cannot be read.
bool says_it_is_ours(const std::string& path);

// The same for outputs that the user names and may replace: the table of score --per-byte, the JSON of bench.
bool is_named_output(const std::string& path);

// Whether it is a hidden file that somebody, maybe this process, is writing and will rename.
bool is_being_written(const std::string& path);

}  // namespace statera
