// Prints a report in the terminal, for compare and report.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace statera::cli {

void print_report(const nlohmann::ordered_json& report);  // the table and the recommendation

}  // namespace statera::cli
