// What a kernel gets beside its Views: the thread pool, scratch memory that it must release before it returns, and
// which kernels to use. Borrows the pool and the arena.
#pragma once
#include "core/arena.hpp"
#include "core/thread_pool.hpp"
#include "statera/device.hpp"

namespace statera {

ThreadPool& pool_of(const Device&);  // of the handle: valid as long as one of its copies lives

struct Exec {
  ThreadPool& pool;
  Arena& scratch;
  KernelChoice kernels = KernelChoice::fast;
  Precision precision = Precision::fp32;
};

}  // namespace statera
