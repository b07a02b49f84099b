// Asks for memory before it is read. Hardware foresees only what goes on within a page, from a piece's third or fourth
// line on: a state of a few kilobytes, met for the first time, is waited for line by line.
#pragma once
#include <cstdint>

namespace statera {

// The lines of n values at p, for reading; p may be null.
template <class T>
inline void fetch(const T* p, int64_t n) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; p && i < n; i += line) __builtin_prefetch(p + i);
  asm volatile("");  // else GCC takes a function that only fetches for one without effect, and leaves out its calls
}

}  // namespace statera
