// Makes the report from the store: differences with their errors, the recommendation, and notes on what to be careful
// about.
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

// src/lab/report/report.md describes the result. Throws nlohmann's exceptions if the store is damaged.
nlohmann::ordered_json findings(const FindingsFrom& from, bool complete);

// The cost of the frozen n-gram of this order on the held-out text; infinite if there is none. A model that costs more
// than counts of two or three bytes is still on the plateau at the beginning of training.
double counted(const Store& store, int order);

// The names of the best two candidates after one seed; empty if there are not two.
std::vector<std::string> first_two(const Store& store, const CompareSettings& settings, const Amounts& amounts);

// The trials of learning rates of a candidate, from the lowest rate to the highest.
std::vector<nlohmann::ordered_json> searched(const Store& store, const std::string& candidate);

}  // namespace statera
