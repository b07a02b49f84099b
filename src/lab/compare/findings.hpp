// From what the store holds to the report: differences with their errors, the recommendation, notes on what to be
// careful about.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "lab/compare/compare.hpp"
#include "lab/compare/plan.hpp"
#include "lab/compare/store.hpp"

namespace statera {

struct FindingsFrom {
  const ByteSource& source;
  const Parts& parts;
  const CompareSettings& settings;
  const Amounts& amounts;
  const Store& store;
  const Device& device;
  const CompareRun& run;
};

// src/lab/report/report.md says what stands where. Throws nlohmann's exceptions if the store is damaged.
nlohmann::ordered_json findings(const FindingsFrom& from, bool complete);

// What the frozen n-gram of this order costs on the held-out text; infinite if there is none. A model that costs more
// than counts of pairs or of three bytes is still on the plateau where training begins.
double counted(const Store& store, int order);

// The first two candidates, by name, if they cannot be told apart after one seed; else nothing.
std::vector<std::string> too_close(const Store& store, const CompareSettings& settings, const Amounts& amounts);

// The trials of learning rates of a candidate, in ascending order.
std::vector<nlohmann::ordered_json> searched(const Store& store, const std::string& candidate);

}  // namespace statera
