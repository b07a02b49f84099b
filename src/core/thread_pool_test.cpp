#include "core/thread_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include "statera/device.hpp"
#include "statera/error.hpp"

namespace statera {
namespace {

TEST(ThreadPool, EveryTaskOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (int64_t tasks : {0, 1, 2, 7, 1000}) {
      std::vector<int> runs(static_cast<size_t>(tasks));
      std::atomic<bool> good{true};
      pool.run(tasks, [&](int64_t task, int worker) {
        ++runs[static_cast<size_t>(task)];
        if (worker < 0 || worker >= threads) good = false;
      });
      EXPECT_TRUE(good);
      for (int n : runs) EXPECT_EQ(n, 1);
    }
  }
}

TEST(ThreadPool, InOrderEveryTaskOnceAndNeighboursTogether) {
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (int64_t tasks : {0, 1, 3, 7, 100}) {
      std::vector<int> runs(static_cast<size_t>(tasks));
      std::vector<int64_t> last(static_cast<size_t>(threads), -1);
      std::atomic<int64_t> jumps{0};
      pool.run_in_order(tasks, [&](int64_t task, int worker) {
        ++runs[static_cast<size_t>(task)];
        int64_t& before = last[static_cast<size_t>(worker)];
        jumps += task != before + 1;
        before = task;
      });
      for (int n : runs) EXPECT_EQ(n, 1);
      EXPECT_LE(jumps, tasks == 100 ? 2 * threads : tasks);
    }
  }
}

TEST(ThreadPool, LittleWorkStaysWithTheCaller) {
  ThreadPool pool(3);
  for (int i = 0; i < 1000; ++i) {
    const std::thread::id me = std::this_thread::get_id();
    std::atomic<int> here{0};
    pool.run(
        7, [&](int64_t, int worker) { here += worker == 0 && std::this_thread::get_id() == me; },
        ThreadPool::worth_sharing - 1);
    EXPECT_EQ(here, 7);
  }
}

TEST(ThreadPool, ManyQuickRuns) {
  ThreadPool pool(3);
  int64_t sum = 0;
  for (int i = 0; i < 20'000; ++i) {
    int64_t parts[5] = {};
    pool.run(5, [&](int64_t task, int) { parts[task] = task + i; });
    for (int64_t part : parts) sum += part;
    if (i % 4000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // so that workers fall asleep
  }
  EXPECT_EQ(sum, 5 * (int64_t{20'000} * 19'999 / 2) + 20'000 * 10);
}

TEST(ThreadPool, ANestedCallRunsInline) {
  ThreadPool pool(3);
  std::atomic<int> count{0};
  pool.run(8, [&](int64_t, int) {
    const std::thread::id me = std::this_thread::get_id();
    pool.run(5, [&](int64_t, int worker) {
      EXPECT_EQ(std::this_thread::get_id(), me);
      EXPECT_EQ(worker, 0);
      ++count;
    });
  });
  EXPECT_EQ(count, 40);
}

TEST(ThreadPool, TwoHostThreadsMayShareIt) {
  ThreadPool pool(2);
  std::atomic<int64_t> sum{0};
  const auto host = [&] {
    for (int i = 0; i < 2000; ++i) pool.run(4, [&](int64_t task, int) { sum += task; });
  };
  std::thread other(host);
  host();
  other.join();
  EXPECT_EQ(sum, 2 * 2000 * 6);
}

TEST(ThreadPool, PoolsComeAndGo) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool(3);
    if (i % 2) pool.run(3, [](int64_t, int) {});
  }
}

bool flushes_denormals() {
  volatile float tiny = std::numeric_limits<float>::min();
  return tiny / 4 == 0;
}

TEST(FlushDenormals, RestoresTheHostsSetting) {
  ASSERT_FALSE(flushes_denormals());
  {
    const FlushDenormals outer(true);
    EXPECT_TRUE(flushes_denormals());
    { const FlushDenormals inner(true); }
    EXPECT_TRUE(flushes_denormals());
    {
      const FlushDenormals off(false);
      EXPECT_FALSE(flushes_denormals());
    }
    EXPECT_TRUE(flushes_denormals());
  }
  EXPECT_FALSE(flushes_denormals());
}

TEST(FlushDenormals, IsSetAsThePoolSaysForEveryTask) {
  for (int threads : {1, 3})
    for (const bool on : {true, false}) {
      ThreadPool pool(threads, on);
      const FlushDenormals callers(!on);
      for (int64_t tasks : {1, 64}) {
        std::atomic<int> flushing{0};
        pool.run(tasks, [&](int64_t, int) { flushing += flushes_denormals(); });
        EXPECT_EQ(flushing, on ? tasks : 0);
      }
      EXPECT_EQ(flushes_denormals(), !on);
    }
}

TEST(Device, ThreadsAndInstructionSet) {
  EXPECT_EQ(Device::cpu({.threads = 2}).threads(), 2);
  EXPECT_GE(Device::cpu().threads(), 1);
  EXPECT_THROW(Device::cpu({.threads = -1}), Error);
  EXPECT_THROW(Device::cpu({.threads = 100'000}), Error);
  EXPECT_THROW(limit_instruction_set("AVX9"), Error);
  EXPECT_FALSE(instruction_set().empty());
}

}  // namespace
}  // namespace statera
