// Makes the report from the store: differences with their errors, the recommendation, and notes on what to be careful
// about.
#pragma once
#include <nlohmann/json_fwd.hpp>

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

}  // namespace statera
