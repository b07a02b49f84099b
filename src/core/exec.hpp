// What a kernel gets beside its Views: threads, and scratch memory that it gives back before it returns.
#pragma once
#include "core/arena.hpp"
#include "core/thread_pool.hpp"
#include "statera/device.hpp"

namespace statera {

struct Exec {
  ThreadPool& pool;
  Arena& scratch;
  KernelChoice kernels = KernelChoice::fast;
  Precision precision = Precision::fp32;
};

}  // namespace statera
