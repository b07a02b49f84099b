// The machine that a figure was taken on, and this process, as far as the system tells; for reports and forecasts.
#pragma once
#include <string>

#include "core/fields.hpp"

namespace statera {

struct Machine {
  std::string cpu = "unknown";
  int64_t cores = 0;                                // that this process may use
  double memory_bytes = 0;                          // that this process may use; 0: unknown, as below
  double l1_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // data caches that the first core reads through, shared ones whole
  double load = 0;                                  // mean of runnable processes over the last minute

  void visit(FieldVisitor& v) {
    v.field("cpu", cpu, "model");
    v.field("cores", cores, "that this process may use");
    v.field("memory_bytes", memory_bytes, "that this process may use; 0: unknown");
    v.field("l1_bytes", l1_bytes, "first data cache");
    v.field("l2_bytes", l2_bytes, "second cache");
    v.field("l3_bytes", l3_bytes, "third cache, which cores may share");
    v.field("load", load, "mean of runnable processes over the last minute");
  }
};
Machine this_machine();

// Within what the machine has and what the container allows (core/control_group.hpp). `root` stands before the paths
// that are read, for tests.
// at least 1: processors that this process may run on, a quota of time rounded up
int usable_cores(const std::string& root = "");
double usable_memory_bytes(const std::string& root = "");  // in all; infinity where the system does not say
// that programs can still get; infinity where the system does not say
double free_memory_bytes(const std::string& root = "");

// To be called before the memory is taken, because a process whose container has no more is killed without a word.
// Throws device: "WHAT needs about 97 MB of memory, but 60 MB are free; FIX". A little is left over for what nobody
// counts.
void require_memory(double bytes, const std::string& what, const std::string& fix);
void limit_free_memory(double bytes);  // for tests: free_memory_bytes() tells no more than this; infinity: all

// Of this process. 0 where the system does not say.
double resident_bytes();
double peak_resident_bytes();  // the most since the start, or since reset_peak_resident()
void reset_peak_resident();    // gives unused memory back first; does nothing where the system does not allow it
double process_age_seconds();  // since the process was started, to a hundredth

}  // namespace statera
