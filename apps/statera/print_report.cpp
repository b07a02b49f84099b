#include "print_report.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "lab/report/table.hpp"

namespace statera::cli {

void print_report(const nlohmann::ordered_json& report) {
  std::printf("%s\n", report_table(report).c_str());
  for (const auto& sentence : report.at("recommendation").at("sentences")) std::printf("%s\n", sentence.get<std::string>().c_str());
  std::printf("\n");
}

}  // namespace statera::cli
