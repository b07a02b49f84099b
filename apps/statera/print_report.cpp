#include "print_report.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "lab/report/table.hpp"

namespace statera::cli {

void print_report(const nlohmann::ordered_json& report) {
  std::printf("%s\n%s\n", report_table(report).c_str(), report_sentences(report).c_str());
}

}  // namespace statera::cli
