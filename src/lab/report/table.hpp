// A report as a table for the terminal.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace statera {

// Rows are candidates and baselines. Below them stand the best candidate per length, what was held equal and what was
// not, and the notes. Lines end in \n and have at most 100 columns. `report` must be as report.md says (parse_report()
// checks one of unknown origin). Control characters in names become \xNN.
std::string report_table(const nlohmann::ordered_json& report);
// The sentences of the recommendation, each on lines of its own, with the same width and safety.
std::string report_sentences(const nlohmann::ordered_json& report);

}  // namespace statera
