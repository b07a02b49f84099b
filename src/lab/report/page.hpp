// report.html: one file that shows a report offline, with everything it needs inside.
#pragma once
#include <string>
#include <string_view>

#include "io/output_folder.hpp"

namespace statera {

// The page. Throws config for a report that parse_report refuses, naming `where`.
std::string report_page(std::string_view report_json, const std::string& where);
// The same, as FOLDER/report.html. Throws io too.
void write_page(const std::string& report_json, const std::string& folder);
OutputFiles page_files();  // what write_page writes

}  // namespace statera
