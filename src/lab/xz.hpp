// What a text costs with xz (LZMA2 at its strongest, 9 extreme) that has already seen the text to train on:
// 8 (xz(train + held out) - xz(train)) / bytes held out.
#pragma once
#include <functional>

#include "statera/data.hpp"

namespace statera {

// Bits per byte. About a second for a megabyte, twice; its memory is some 11 times the text, whose last 64 MiB are all
// that it sees at once. `often` is called a few times a second; it may throw, which ends it. Throws io if that memory
// is not to be had.
double xz_cost(const ByteSource& train, const ByteSource& held_out, const std::function<void()>& often = {});

}  // namespace statera
