// The machine and this process, as far as the system tells; for reports and forecasts.
#pragma once
#include <string>

#include "statera/fields.hpp"

namespace statera {

struct Machine {
  std::string cpu = "unknown";
  int64_t cores = 0;                                // cores that this process may use
  double memory_bytes = 0;                          // memory that this process may use; 0: unknown, also below
  double l1_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // data caches of the first core; a shared cache counts in full
  double load = 0;                                  // average number of runnable processes over the last minute

  void visit(FieldVisitor& v) {
    v.field("cpu", cpu, "model of the CPU");
    v.field("cores", cores, "cores that this process may use");
    v.field("memory_bytes", memory_bytes, "memory that this process may use; 0: unknown");
    v.field("l1_bytes", l1_bytes, "size of the first-level data cache");
    v.field("l2_bytes", l2_bytes, "size of the second-level cache");
    v.field("l3_bytes", l3_bytes, "size of the third-level cache, which cores may share");
    v.field("load", load, "average number of runnable processes over the last minute");
  }
};
Machine this_machine();

// The number of cores that this process may use, at least 1: those of the machine or of its container
// (core/control_group.hpp). A quota of CPU time is rounded up. Tests pass as `root` a folder that stands before the
// paths that are read.
int usable_cores(const std::string& root = "");
double usable_memory_bytes(const std::string& root = "");  // of machine or container; infinity if unknown
// memory that programs can still get; infinity if unknown
double free_memory_bytes(const std::string& root = "");

// Throws ErrorCode::device if `bytes` are not free: "WHAT needs about 97 MB of memory, but 60 MB are free; FIX". Call
// it before allocating, since a process that exceeds its container's limit is killed without a message. It sets a
// little memory aside for what is not counted.
void require_memory(double bytes, const std::string& what, const std::string& fix);
void limit_free_memory(double bytes);  // for tests: an upper limit of free_memory_bytes(); infinity: none

// Of this process; 0 if unknown.
double resident_bytes();
double peak_resident_bytes();  // the maximum since the start of the process, or since reset_peak_resident()
// first returns unused memory to the system; does nothing where the system does not support it
void reset_peak_resident();
double process_age_seconds();  // since the start of the process, to a hundredth of a second

}  // namespace statera
