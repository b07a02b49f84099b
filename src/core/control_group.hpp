// What the control groups (cgroup v2 and v1) that this process is in allow it: the limits of a container or a service.
#pragma once
#include <cmath>
#include <string>

namespace statera {

struct GroupLimits {
  double memory_bytes = INFINITY;  // the least limit of the group and of those above it
  // the least that one of them has left; what the system only caches counts as free
  double free_memory_bytes = INFINITY;
  double cores = INFINITY;  // processor time in a second of the clock
};

// `root` stands before every path that is read, /proc/self/cgroup first: "" for this system, another folder for tests.
GroupLimits group_limits(const std::string& root = "");

}  // namespace statera
