// What a text costs with xz (LZMA2 at its strongest, 9 extreme) that has already seen the text to train on:
// 8 (xz(train + held out) - xz(train)) / bytes held out.
#pragma once
#include <functional>
#include <string>

#include "statera/data.hpp"

namespace statera {

struct XzOptions {
  int64_t max_train_bytes = int64_t{64} << 20;     // of a longer text the last so many are used: the window of xz is no larger
  int64_t max_held_out_bytes = int64_t{16} << 20;  // and the first so many of the held-out one
  std::function<void()> often;                     // called a few times a second; may throw, which ends it
};

struct XzCost {
  double bits_per_byte = 0;
  std::string note;  // a line about what was left out; empty if nothing was
};

// About a second for a megabyte, twice; its memory is some 11 times the text. Throws io if that is not to be had.
XzCost xz_cost(const ByteSource& train, const ByteSource& held_out, const XzOptions& options = {});

}  // namespace statera
