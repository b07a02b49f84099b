// The source files of the page, built into the binary (cmake/StateraPage.cmake): src/lab/report/page/* and the chart
// library.
#pragma once
#include <string_view>

namespace statera {

// "page.html", "page.css", "chart.min.js", ...; empty for any other name.
std::string_view page_file(std::string_view name);

}  // namespace statera
