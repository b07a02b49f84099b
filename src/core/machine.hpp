// The machine that a figure was taken on, as far as the system tells; for reports.
#pragma once
#include <string>

namespace statera {

struct Machine {
  std::string cpu = "unknown";
  int cores = 0;            // that this process may use
  double memory_bytes = 0;  // 0: unknown
  double load = 0;          // mean of runnable processes over the last minute
};
Machine this_machine();

}  // namespace statera
