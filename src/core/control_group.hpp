// The limits of the control groups (cgroup v2 and v1) of this process: those of its container or service.
#pragma once
#include <cmath>
#include <string>

namespace statera {

struct GroupLimits {
  double memory_bytes = INFINITY;  // the smallest limit of the group and its ancestors
  // the least memory that any of them has left; memory that only caches files counts as free
  double free_memory_bytes = INFINITY;
  double cores = INFINITY;  // CPU seconds per second
};

// Tests pass as `root` a folder that stands before all paths that are read (such as /proc/self/cgroup).
GroupLimits group_limits(const std::string& root = "");

}  // namespace statera
