#include "core/slabs.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <set>
#include <thread>
#include <vector>

namespace statera {
namespace {

constexpr size_t huge_page = Slabs::huge_page;
int64_t mapped = 0;    // bytes
bool refuses = false;  // the system

void* map(size_t bytes) {
  if (refuses) return nullptr;
  mapped += static_cast<int64_t>(bytes);
  return std::aligned_alloc(64, bytes);
}
void unmap(void* begin, size_t bytes) {
  mapped -= static_cast<int64_t>(bytes);
  std::free(begin);
}

std::vector<Slabs::Piece> take(Slabs& slabs, size_t bytes, int64_t count) {
  std::vector<Slabs::Piece> pieces;
  for (int64_t i = 0; i < count; ++i) pieces.push_back(slabs.take(bytes));
  return pieces;
}
int64_t in_slabs(const std::vector<Slabs::Piece>& pieces) {
  int64_t n = 0;
  for (const Slabs::Piece& piece : pieces) n += piece.begin != nullptr;
  return n;
}

TEST(Slabs, OnlyASizeThatFillsASlabGetsOne) {
  {
    Slabs slabs(map, unmap);
    constexpr size_t bytes = size_t{100} << 10;
    constexpr int64_t fit = huge_page / bytes;
    EXPECT_EQ(in_slabs(take(slabs, bytes, fit)), 0);
    EXPECT_EQ(in_slabs(take(slabs, bytes + 64, fit)), 0);  // another size
    EXPECT_EQ(mapped, 0);
    EXPECT_EQ(in_slabs(take(slabs, bytes, fit + 1)), fit + 1);
    EXPECT_EQ(mapped, static_cast<int64_t>(2 * huge_page));
  }
  EXPECT_EQ(mapped, 0);
}

TEST(Slabs, PiecesOfAnySizeAreApartAndLittleIsLeftOver) {
  for (const size_t bytes : {Slabs::smallest, size_t{98'432}, size_t{700'032}, size_t{1'400'064}, huge_page - 64}) {
    Slabs slabs(map, unmap);
    const std::vector<Slabs::Piece> pieces = take(slabs, bytes, 400);
    int64_t used = 0;
    for (size_t i = 0; i < pieces.size(); ++i)
      if (pieces[i].begin)
        std::memset(pieces[i].begin, static_cast<int>(i % 251), bytes), used += static_cast<int64_t>(bytes);
    for (size_t i = 0; i < pieces.size(); ++i)
      if (const auto* p = static_cast<const unsigned char*>(pieces[i].begin)) {
        ASSERT_EQ(p[0], i % 251) << bytes;
        ASSERT_EQ(p[bytes - 1], i % 251) << bytes;
      }
    EXPECT_GT(used, 0);
    // the last one is not full
    EXPECT_LE(static_cast<double>(mapped), 1.07 * static_cast<double>(used) + 8.0 * huge_page) << bytes;
  }
}

TEST(Slabs, WhatIsGivenBackIsHandedOutAgainAndGoesBackToTheSystem) {
  Slabs slabs(map, unmap);
  constexpr size_t bytes = size_t{64} << 10;
  std::vector<Slabs::Piece> pieces = take(slabs, bytes, 400);
  const int64_t most = mapped;
  EXPECT_GT(most, static_cast<int64_t>(8 * huge_page));
  std::set<void*> begins;
  for (int i = 0; i < 50; ++i) {  // not in the order in which they came
    const size_t at = static_cast<size_t>(i * 131 % 350);
    const bool inside = pieces[at].begin != nullptr;
    if (inside) begins.insert(pieces[at].begin);
    slabs.give_back(pieces[at]);
    pieces[at] = slabs.take(bytes);
    if (!inside) begins.insert(pieces[at].begin);  // where there is room
    EXPECT_EQ(begins.count(pieces[at].begin), 1u);
  }
  EXPECT_EQ(mapped, most);
  const Slabs::Piece last = pieces.back();
  pieces.pop_back();
  for (const Slabs::Piece& piece : pieces) slabs.give_back(piece);
  EXPECT_LE(mapped, static_cast<int64_t>(2 * huge_page));  // that of the last piece, and one with room
  slabs.give_back(last);
  EXPECT_EQ(mapped, 0);
}

TEST(Slabs, SeveralThatWereGivenBackAreAllHandedOutAgain) {
  Slabs slabs(map, unmap);
  constexpr size_t bytes = size_t{64} << 10;
  std::vector<Slabs::Piece> pieces = take(slabs, bytes, 400);
  const int64_t most = mapped;
  for (int round = 0; round < 20; ++round) {
    for (size_t i = 300; i < 360; ++i) slabs.give_back(pieces[i]);  // of more than one slab
    for (size_t i = 300; i < 360; ++i) pieces[i] = slabs.take(bytes);
  }
  EXPECT_EQ(mapped, most);
  std::set<void*> begins;
  for (const Slabs::Piece& piece : pieces) EXPECT_TRUE(!piece.begin || begins.insert(piece.begin).second);
}

TEST(Slabs, WithoutMemoryOfTheSystemPiecesComeFromElsewhere) {
  Slabs slabs(map, unmap);
  refuses = true;
  const std::vector<Slabs::Piece> pieces = take(slabs, Slabs::smallest, 1000);
  refuses = false;
  EXPECT_EQ(in_slabs(pieces), 0);
  for (const Slabs::Piece& piece : pieces) slabs.give_back(piece);
  EXPECT_EQ(in_slabs(take(slabs, Slabs::smallest, 3)), 0);  // they are counted no more
}

TEST(Slabs, FromManyThreads) {
  const auto serve = [](size_t bytes) { return std::aligned_alloc(64, bytes); };
  Slabs slabs(serve, [](void* begin, size_t) { std::free(begin); });
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&slabs, t] {
      std::vector<Slabs::Piece> mine;
      for (int round = 0; round < 2000; ++round) {
        mine.push_back(slabs.take(Slabs::smallest << (round % 3)));
        if (mine.back().begin) std::memset(mine.back().begin, t, 64);
        if (round % 3 == 0) {
          const size_t at = static_cast<size_t>(round * 7) % mine.size();
          EXPECT_TRUE(!mine[at].begin || *static_cast<const char*>(mine[at].begin) == t);
          slabs.give_back(mine[at]);
          mine.erase(mine.begin() + static_cast<ptrdiff_t>(at));
        }
      }
      for (const Slabs::Piece& piece : mine) slabs.give_back(piece);
    });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace statera
