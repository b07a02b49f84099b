// report.html: one file that shows a report offline and contains everything it needs.
#pragma once
#include <string>
#include <string_view>

#include "io/output_folder.hpp"

namespace statera {

// Throws ErrorCode::config, naming `where`, for a report that parse_report() refuses.
std::string report_page(std::string_view report_json, const std::string& where);
// Writes the page to FOLDER/report.html. Also throws ErrorCode::io.
void write_page(const std::string& report_json, const std::string& folder);
OutputFiles page_files();  // the files that write_page() writes

}  // namespace statera
