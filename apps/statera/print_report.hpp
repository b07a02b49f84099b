// A report in the terminal, for compare and report.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace statera::cli {

void print_report(const nlohmann::ordered_json& report);  // table, recommendation

}  // namespace statera::cli
