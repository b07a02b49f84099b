#include "core/arena.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <set>

namespace statera {
namespace {

struct Poison {
  Poison() { Arena::set_poison(true); }
  ~Poison() { Arena::set_poison(false); }
};

TEST(Arena, AlignedWithRoomBehind) {
  Arena arena;
  std::byte* before = nullptr;
  for (size_t bytes : {1, 63, 64, 65, 1000, 0, 5}) {
    auto* p = static_cast<std::byte*>(arena.allocate(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
    if (before) {
      EXPECT_GE(p - before, 64);
    }
    before = p + bytes;
  }
}

TEST(Arena, TheSameRoundGetsTheSameMemory) {
  Arena arena;
  const auto round = [&] {
    std::set<void*> places;
    for (int i = 0; i < 20; ++i) places.insert(arena.allocate(300'000));  // several blocks in the first round
    return places;
  };
  round();
  arena.reset();  // one block from here on
  const std::set<void*> second = round();
  const size_t peak = arena.peak();
  EXPECT_EQ(arena.used(), peak);
  for (int i = 0; i < 3; ++i) {
    arena.reset();
    EXPECT_EQ(arena.used(), 0u);
    EXPECT_EQ(round(), second);
  }
  EXPECT_EQ(arena.peak(), peak);
}

TEST(Arena, ScopesGiveBackWhatTheyTook) {
  Arena arena;
  arena.allocate(100);
  const size_t used = arena.used();
  void* first = nullptr;
  for (int i = 0; i < 3; ++i) {
    const ArenaScope scope(arena);
    void* p = arena.allocate(10);
    if (i == 0) first = p;
    EXPECT_EQ(p, first);
    arena.allocate(5 << 20);  // a block of its own
    arena.allocate(10);
  }
  EXPECT_EQ(arena.used(), used);
  EXPECT_GE(arena.peak(), size_t{5} << 20);
}

TEST(Arena, PoisonFillsWithNan) {
  const Poison poison;
  Arena arena;
  const View v = arena.allocate(DType::f32, {3, 5});
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(std::isnan(v.as<float>()[i]));
  const View w = arena.allocate(DType::f64, {7});
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(std::isnan(w.as<double>()[i]));
  arena.check_sentinels();
}

TEST(ArenaDeathTest, AWriteBehindTheEndIsFound) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  for (int64_t behind : {5, 16, 20}) {  // directly after the 5 floats, and in the 64 bytes after the rounded end
    EXPECT_DEATH(
        {
          const Poison poison;
          Arena arena;
          {
            const ArenaScope scope(arena);
            arena.allocate(DType::f32, {5}).as<float>()[behind] = 0;
          }
        },
        "wrote beyond its output");
  }
}

TEST(Arena, SentinelsOfWhatWasReleasedAreForgotten) {
  const Poison poison;
  Arena arena;
  const View kept = arena.allocate(DType::f32, {5});
  for (int i = 0; i < 3; ++i) {
    const ArenaScope scope(arena);
    arena.allocate(DType::f32, {i + 1});
    arena.allocate(2 << 20);
  }
  kept.as<float>()[4] = 1;
  arena.reset();
}

}  // namespace
}  // namespace statera
