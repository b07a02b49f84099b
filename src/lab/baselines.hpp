// What a text costs without a neural network: n-gram models and xz, as rows beside a model.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "statera/data.hpp"

namespace statera {

struct Baseline {
  std::string name;  // "n-gram order 3", "xz"
  double bits_per_byte;
};
struct Baselines {
  std::vector<Baseline> rows;  // orders from 0 on, then xz
  std::string note;            // what was left out; empty if nothing was
};

// Leaves out all of it, and says so, where there are more than 32 MiB to learn from. `often` is called a few times a second; it may throw, which
// ends it.
Baselines baselines(const ByteSource& train, const ByteSource& held_out, const std::function<void()>& often = {});
double baseline_seconds(int64_t train_bytes, int64_t held_out_bytes);  // about so long

}  // namespace statera
