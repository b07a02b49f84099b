// Prefetches memory. The hardware prefetcher works within a page and starts at the third or fourth line of a run.
// Without help, a core waits for every line of a small state that it meets for the first time.
#pragma once
#include <cstdint>

namespace statera {

// Prefetches the cache lines of n values at p for reading; p may be null. For a p that begins a line.
template <class T>
inline void fetch_from_line(const T* p, int64_t n) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; p && i < n; i += line) __builtin_prefetch(p + i);
  // without it GCC takes a function that only prefetches for one without effect and removes calls to it
  asm volatile("");
}

// For any p: the last value may lie in a line more than the steps reach.
template <class T>
inline void fetch(const T* p, int64_t n) {
  if (p && n > 0) __builtin_prefetch(p + n - 1);
  fetch_from_line(p, n);
}

}  // namespace statera
