// What a text costs with xz (LZMA2 at its strongest setting, 9 extreme) that has already seen the training text: 8
// (xz(train + held out) - xz(train)) / bytes held out.
#pragma once
#include <functional>

#include "statera/data.hpp"

namespace statera {

// Returns bits per byte. Takes twice about one second per megabyte. Needs about 11 times the text in memory; at once it
// sees at most the last 64 MiB. `often` is called a few times per second; what it throws ends the measurement. Throws
// ErrorCode::io if there is not enough memory.
double xz_cost(const ByteSource& train, const ByteSource& held_out, const std::function<void()>& often = {});

}  // namespace statera
