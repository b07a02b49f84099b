#include "core/machine.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "statera/error.hpp"
#include "statera/tensor.hpp"

namespace statera {
namespace {

TEST(MachineTest, TellsWhatTheSystemTells) {
  const Machine machine = this_machine();
  EXPECT_GE(machine.cores, 1);
  EXPECT_GT(machine.memory_bytes, 64e6);
  EXPECT_LE(free_memory_bytes(), machine.memory_bytes);
  if (machine.l1_bytes > 0 && machine.l2_bytes > 0) {
    EXPECT_LT(machine.l1_bytes, machine.l2_bytes);
  }
}

TEST(MachineTest, ThePeakOfMemoryIsThatSinceTheReset) {
  reset_peak_resident();
  const double before = resident_bytes(), after_reset = peak_resident_bytes();
  constexpr int64_t floats = int64_t{16} << 20;
  { const Tensor large(DType::f32, {floats}); }
  EXPECT_GE(peak_resident_bytes(), before + 3.5 * floats);
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "AddressSanitizer keeps what was freed";
#endif
  if (after_reset >= before + 1e6) GTEST_SKIP() << "the system does not allow a reset";
  reset_peak_resident();
  EXPECT_LT(peak_resident_bytes(), before + 1.0 * floats);
}

TEST(MachineTest, WhatNeedsMoreMemoryThanIsFreeIsRefusedInOneLine) {
  struct Limit {
    explicit Limit(double bytes) { limit_free_memory(bytes); }
    ~Limit() { limit_free_memory(INFINITY); }
  };
  const auto refused = [](double bytes, double free) -> std::string {
    const Limit limit(free);
    try {
      require_memory(bytes, "the work", "do less");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::device);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refused(50e6, 66e6), "");  // 16 MB are left over
  EXPECT_EQ(refused(50.1e6, 66e6), "the work needs about 51 MB of memory, but 50 MB are free; do less");
  EXPECT_EQ(refused(2.01e9, 1e9), "the work needs about 2.1 GB of memory, but 0.9 GB are free; do less");
  EXPECT_EQ(refused(1, 1e6), "the work needs about 1 MB of memory, but 0 MB are free; do less");
  EXPECT_EQ(refused(0, 0), "");
}

TEST(MachineTest, AProcessAges) {
  const double young = process_age_seconds();
  EXPECT_GE(young, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_GE(process_age_seconds(), young + 0.05);
}

}  // namespace
}  // namespace statera
