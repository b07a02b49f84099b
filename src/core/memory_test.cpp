#include "core/memory.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <new>

namespace statera {
namespace {

TEST(Memory, AlignedAndWritableToItsEnd) {
  for (const size_t bytes :
       {size_t{1}, size_t{64}, size_t{1000}, (size_t{2} << 20) - 1, size_t{2} << 20, (size_t{5} << 20) + 3}) {
    const Memory memory = allocate_memory(bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.get()) % 64, 0u) << bytes;
    std::memset(memory.get(), 0x5a, bytes);
    EXPECT_EQ(static_cast<const unsigned char*>(memory.get())[bytes - 1], 0x5a);
  }
}

TEST(Memory, TooMuchIsAnException) {
  constexpr size_t most = std::numeric_limits<size_t>::max();
  for (const size_t bytes : {most - 100, most}) EXPECT_THROW(allocate_memory(bytes), std::bad_alloc) << bytes;
#if !defined(__SANITIZE_ADDRESS__)  // it ends the program where the heap throws
  EXPECT_THROW(allocate_memory(most / 4), std::bad_alloc);
#endif
}

TEST(Memory, CallsAreCounted) {
  const int64_t before = memory_calls();
  allocate_memory(10);
  allocate_memory(size_t{3} << 20);
  EXPECT_EQ(memory_calls() - before, 2);
}

}  // namespace
}  // namespace statera
