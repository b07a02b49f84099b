// Reads report.json back (report.md describes it). The file may be of another version, cut or hostile.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace statera {

constexpr size_t max_report_bytes = size_t{16} << 20;

// Throws ErrorCode::config, naming `where` and the key, for another format_version, a key that is missing or of another
// type, a negative amount, a name that occurs twice, and whatever parse_json() refuses. Keys that report.md does not
// name are kept.
nlohmann::ordered_json parse_report(std::string_view text, const std::string& where);

// Reads FOLDER/report.json. Also throws ErrorCode::io.
nlohmann::ordered_json read_report(const std::string& folder);

}  // namespace statera
