// What a Session and its snapshots share.
#pragma once
#include <vector>

#include "mixers/state.hpp"
#include "statera/session.hpp"

namespace statera {

struct Snapshot::Data {
  State state;
  std::vector<float> logits;  // [vocab_size], empty at the start
  int64_t position = 0;
  uint64_t model = 0;  // its fingerprint, in what a user holds; 0 in what a session keeps for itself
};

}  // namespace statera
