// A report as a table in the terminal.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace statera {

// Candidates and baselines as rows; under them the best at each of several lengths, what is held equal, what not, and
// the notes. Lines end in \n, none is over 100 columns. `report` is as report.md says (parse_report checks one from
// outside); control characters in its names come out as \xNN.
std::string report_table(const nlohmann::ordered_json& report);
// The sentences of the recommendation, each on lines of its own, as wide and as safe.
std::string report_sentences(const nlohmann::ordered_json& report);

}  // namespace statera
