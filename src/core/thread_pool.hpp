// One small pool of std::thread. A call hands out tasks 0..n-1 in any order to any worker, the caller being worker 0,
// so a kernel is deterministic when each task writes its own outputs with its own order of summation: never split a
// reduction by worker. Workers spin briefly between calls and then sleep. run() is not reentrant: a nested call, or one
// from a second host thread while the pool is busy, runs its tasks inline.
#pragma once
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/function_ref.hpp"

namespace statera {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // the caller included; at least 1. Throws device if the system refuses
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }
  // Into how many parts work is cut that reads memory from end to end. With more they would end nearer to each other,
  // but memory would begin anew more often, and more would be fetched by one worker that another then needs.
  int64_t shares() const { return 2 * size(); }
  // Multiply-adds, or floats that are moved: with less in a run, waking another thread (0.7 us on a Zen 4) costs more
  // than it saves.
  static constexpr int64_t worth_sharing = int64_t{1} << 16;

  // body(task, worker): 0 <= task < tasks < 2^31, 0 <= worker < size(). Must not throw. Returns when all tasks are
  // done; it does not wait for workers that the system has not woken, so a busy machine costs no more than its missing
  // share. `work`: of all tasks together; if it is not worth sharing, the caller runs them alone.
  void run(int64_t tasks, FunctionRef<void(int64_t task, int worker)> body, int64_t work = worth_sharing);
  // The same in shares() parts at most, for tasks of equal size: while a worker does one of them it may fetch what its
  // next one, task + 1, reads.
  void run_in_order(int64_t tasks, FunctionRef<void(int64_t task, int worker)> body, int64_t work = worth_sharing);

 private:
  using Body = FunctionRef<void(int64_t task, int worker)>;
  void work(int worker);
  void stop();
  void take_tasks(int worker);

  std::vector<std::thread> threads_;
  // read only by who holds a task of it, and a run ends when all its tasks are done: so it is valid
  Body* body_ = nullptr;
  std::atomic<uint64_t> tickets_{0};  // tasks of the run << 32 | the next one
  std::atomic<uint32_t> done_{0};
  std::atomic<uint32_t> generation_{0};  // counts runs: what sleeping workers wait for
  std::atomic<bool> busy_{false}, stop_{false};
};

// Sets flush-to-zero and denormals-are-zero while it lives and restores the host program's setting: denormals cost 35
// to 55 times. To set costs more than to look, so where many runs follow each other, one around all of them saves that.
class FlushDenormals {
 public:
  FlushDenormals() noexcept;
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t saved_;
  bool changed_;
};

}  // namespace statera
