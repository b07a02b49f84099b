// The files that the page is made of, built into the binary (cmake/StateraPage.cmake): src/lab/report/page/* and the
// library for charts.
#pragma once
#include <string_view>

namespace statera {

// "page.html", "page.css", "chart.min.js" ...; empty for a name that is none of them.
std::string_view page_file(std::string_view name);

}  // namespace statera
