#include "core/thread_pool.hpp"

#include <algorithm>
#include <system_error>

#include "core/check.hpp"

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
// about 50 microseconds: longer than the gap between two kernels, short enough that sleeping would not pay
constexpr int spins_before_sleep = 4000;
}  // namespace

ThreadPool::ThreadPool(int threads, bool flush_denormals) : flush_denormals_(flush_denormals) {
  try {
    for (int worker = 1; worker < threads; ++worker) threads_.emplace_back([this, worker] { work(worker); });
  } catch (const std::system_error&) {
    const size_t started = threads_.size() + 1;
    stop();
    fail(ErrorCode::device, "[threads] the system gives only ", started, " of ", threads, " threads; ask for fewer");
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stop_.store(true);
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::take_tasks(int worker) {
  uint32_t mine = 0;
  for (;;) {
    const uint64_t ticket = tickets_.fetch_add(1, std::memory_order_acq_rel);
    const auto task = static_cast<uint32_t>(ticket), tasks = static_cast<uint32_t>(ticket >> 32);
    if (task < tasks) {
      (*body_)(task, worker);
      ++mine;
      continue;
    }
    if (mine > 0 && done_.fetch_add(mine, std::memory_order_acq_rel) + mine == tasks) done_.notify_one();
    return;
  }
}

void ThreadPool::work(int worker) {
  const FlushDenormals flush(*this);
  uint32_t seen = 0;
  for (;;) {
    for (int spins = 0; generation_.load(std::memory_order_acquire) == seen;) {
      if (++spins < spins_before_sleep)
        relax();
      else
        generation_.wait(seen, std::memory_order_acquire);
    }
    seen = generation_.load(std::memory_order_acquire);
    if (stop_.load()) return;
    take_tasks(worker);
  }
}

void ThreadPool::run(int64_t tasks, Body body, int64_t work) {
  if (tasks <= 0) return;
  const FlushDenormals flush(*this);  // the workers do it too, so a task gives the same bits on any thread
  if (tasks == 1 || work < worth_sharing || threads_.empty() || busy_.exchange(true, std::memory_order_acquire)) {
    for (int64_t task = 0; task < tasks; ++task) body(task, 0);
    return;
  }
  body_ = &body;
  done_.store(0, std::memory_order_relaxed);
  tickets_.store(static_cast<uint64_t>(tasks) << 32, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  take_tasks(0);
  int spins = 0;
  for (uint32_t done = done_.load(std::memory_order_acquire); done != tasks;
       done = done_.load(std::memory_order_acquire)) {
    if (++spins < spins_before_sleep)
      relax();
    else
      done_.wait(done, std::memory_order_acquire);
  }
  busy_.store(false, std::memory_order_release);
}

void ThreadPool::run_in_order(int64_t tasks, Body body, int64_t work) {
  const int64_t count = std::min(tasks, shares());
  // the larger shares come first
  const auto first = [&](int64_t share) { return tasks / count * share + std::min(share, tasks % count); };
  run(
      count,
      [&](int64_t share, int worker) {
        for (int64_t task = first(share); task < first(share + 1); ++task) body(task, worker);
      },
      work);
}

namespace {
#if defined(__x86_64__)
constexpr uint64_t flush_bits = 0x8040;  // FTZ | DAZ
uint64_t floating_control() { return _mm_getcsr(); }
void set_floating_control(uint64_t value) { _mm_setcsr(static_cast<unsigned>(value)); }
#elif defined(__aarch64__)
constexpr uint64_t flush_bits = 1ull << 24;
uint64_t floating_control() {
  uint64_t value;
  asm volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
void set_floating_control(uint64_t value) { asm volatile("msr fpcr, %0" ::"r"(value)); }
#else
constexpr uint64_t flush_bits = 0;
uint64_t floating_control() { return 0; }
void set_floating_control(uint64_t) {}
#endif
}  // namespace

FlushDenormals::FlushDenormals(bool on) noexcept
    : saved_(floating_control()), changed_((saved_ & flush_bits) != (on ? flush_bits : 0)) {
  if (changed_) set_floating_control(on ? saved_ | flush_bits : saved_ & ~flush_bits);
}

FlushDenormals::~FlushDenormals() {
  if (changed_) set_floating_control(saved_);
}

}  // namespace statera
