// A small pool of threads. run() hands tasks 0 to n - 1, in any order, to any worker; the caller is worker 0. A kernel
// is deterministic if each task writes its own outputs and sums in its own fixed order. Never split a reduction by
// worker.
//
// Owns its threads, and borrows the body of a run until run() returns. Workers spin briefly between calls and then
// sleep. Thread safety: run() may be called from several threads. While the pool is busy, a second call, and a nested
// one, runs all its tasks on the calling thread.
#pragma once
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/function_ref.hpp"

namespace statera {

class ThreadPool {
 public:
  // `threads` counts the caller, so at least 1. Throws ErrorCode::device if the system refuses.
  // flush_denormals: whether tasks treat denormal numbers as zero
  explicit ThreadPool(int threads, bool flush_denormals = true);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  bool flush_denormals() const { return flush_denormals_; }
  int size() const { return static_cast<int>(threads_.size()) + 1; }
  // The number of parts for work that streams through memory. With more parts the workers would finish closer together,
  // but each would start a new stream more often and fetch more lines that another worker then needs.
  int64_t shares() const { return 2 * size(); }
  // In multiply-adds or floats moved. For less work than that, waking another thread (0.7 us on a Zen 4) costs more
  // than it saves.
  static constexpr int64_t worth_sharing = int64_t{1} << 16;

  // Calls body(task, worker) for 0 <= task < tasks < 2^31, with 0 <= worker < size(). body must not throw. Returns when
  // all tasks are done; it does not wait for workers that have not woken up yet, so on a busy machine no time is lost
  // to them. `work` is the size of all tasks together; if it is below worth_sharing, the caller runs them alone.
  void run(int64_t tasks, FunctionRef<void(int64_t task, int worker)> body, int64_t work = worth_sharing);
  // The same, in at most shares() runs of consecutive tasks of equal size. Most often a worker goes on with task + 1
  // and may prefetch what that reads.
  void run_in_order(int64_t tasks, FunctionRef<void(int64_t task, int worker)> body, int64_t work = worth_sharing);

 private:
  using Body = FunctionRef<void(int64_t task, int worker)>;
  void work(int worker);
  void stop();
  void take_tasks(int worker);

  bool flush_denormals_;
  std::vector<std::thread> threads_;
  // Only a worker that holds a task reads it, and run() does not return before all tasks are done, so it is valid then.
  Body* body_ = nullptr;
  std::atomic<uint64_t> tickets_{0};  // number of tasks << 32 | the next task
  std::atomic<uint32_t> done_{0};
  std::atomic<uint32_t> generation_{0};  // counts runs; sleeping workers wait for it to change
  std::atomic<bool> busy_{false}, stop_{false};
};

// Makes this thread treat denormal numbers as zero while it lives (if on, otherwise as numbers), then restores the
// earlier setting. Must end on the thread that made it. Operations on denormals are 35 to 55 times slower. Setting the
// flag costs more than reading it, so where many runs follow each other, put one FlushDenormals around all of them.
class FlushDenormals {
 public:
  explicit FlushDenormals(bool on) noexcept;
  explicit FlushDenormals(const ThreadPool& pool) noexcept : FlushDenormals(pool.flush_denormals()) {}
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t saved_;
  bool changed_;
};

}  // namespace statera
