#include "core/thread_pool.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace statera {

namespace {
void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}
constexpr int spins_before_sleep = 4000;  // about 50 microseconds: longer than the gap between two kernels, shorter than a nap is worth
}  // namespace

struct ThreadPool::Job {
  FunctionRef<void(int64_t, int)>* body = nullptr;
  std::atomic<int64_t> next{0};
  int64_t tasks = 0;
};

ThreadPool::ThreadPool(int threads) : job_(std::make_unique<Job>()) {
  for (int worker = 1; worker < threads; ++worker) threads_.emplace_back([this, worker] { work(worker); });
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::take_tasks(Job& job, int worker) {
  for (int64_t task = job.next.fetch_add(1, std::memory_order_relaxed); task < job.tasks;
       task = job.next.fetch_add(1, std::memory_order_relaxed))
    (*job.body)(task, worker);
}

void ThreadPool::work(int worker) {
  FlushDenormals flush;
  uint32_t seen = 0;
  for (;;) {
    int spins = 0;
    while (generation_.load(std::memory_order_acquire) == seen) {
      if (++spins < spins_before_sleep) relax();
      else generation_.wait(seen, std::memory_order_acquire);
    }
    seen = generation_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    take_tasks(*job_, worker);
    if (active_.fetch_sub(1, std::memory_order_acq_rel) == 1) active_.notify_one();
  }
}

void ThreadPool::run(int64_t tasks, FunctionRef<void(int64_t, int)> body) {
  if (tasks <= 0) return;
  if (tasks == 1 || threads_.empty() || busy_.exchange(true, std::memory_order_acquire)) {
    for (int64_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
  job_->body = &body;
  job_->tasks = tasks;
  job_->next.store(0, std::memory_order_relaxed);
  active_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  take_tasks(*job_, 0);
  int spins = 0;
  for (int left = active_.load(std::memory_order_acquire); left != 0; left = active_.load(std::memory_order_acquire)) {
    if (++spins < spins_before_sleep) relax();
    else active_.wait(left, std::memory_order_acquire);
  }
  busy_.store(false, std::memory_order_release);
}

FlushDenormals::FlushDenormals() noexcept {
#if defined(__x86_64__)
  saved_ = _mm_getcsr();
  _mm_setcsr(static_cast<unsigned>(saved_) | 0x8040u);  // FTZ | DAZ
#elif defined(__aarch64__)
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  asm volatile("msr fpcr, %0" ::"r"(saved_ | (1ull << 24)));
#else
  saved_ = 0;
#endif
}

FlushDenormals::~FlushDenormals() {
#if defined(__x86_64__)
  _mm_setcsr(static_cast<unsigned>(saved_));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" ::"r"(saved_));
#endif
}

}  // namespace statera
