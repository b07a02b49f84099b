// One small pool of std::thread. A call hands out tasks 0..n-1 in any order to any worker, the caller being worker 0, so a kernel is
// deterministic when each task writes its own outputs with its own order of summation: never split a reduction by worker.
// Workers spin briefly between calls and then sleep. run() is not reentrant: a nested call, or one from a second host thread while
// the pool is busy, runs its tasks inline.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "core/function_ref.hpp"

namespace statera {

class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // the caller included; at least 1
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }
  // body(task, worker): 0 <= task < tasks, 0 <= worker < size(). Must not throw. Returns when all tasks are done.
  void run(int64_t tasks, FunctionRef<void(int64_t task, int worker)> body);

 private:
  struct Job;
  void work(int worker);
  void take_tasks(Job& job, int worker);

  std::vector<std::thread> threads_;
  std::unique_ptr<Job> job_;
  std::atomic<uint32_t> generation_{0};
  std::atomic<int> active_{0};
  std::atomic<bool> busy_{false}, stop_{false};
};

// Sets flush-to-zero and denormals-are-zero while it lives and restores the host program's setting: denormals cost 35 to 55 times.
class FlushDenormals {
 public:
  FlushDenormals() noexcept;
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t saved_;
};

}  // namespace statera
