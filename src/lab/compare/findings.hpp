// From what the store holds to the report: differences with their errors, the recommendation, notes on what to be careful about.
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

// The trials of learning rates of a candidate, in ascending order.
std::vector<nlohmann::ordered_json> searched(const Store& store, const std::string& candidate);

}  // namespace statera
