// The data of a snapshot, which Session and Snapshot share.
#pragma once
#include <vector>

#include "mixers/state.hpp"
#include "statera/session.hpp"

namespace statera {

struct Snapshot::Data {
  State state;
  std::vector<float> logits;  // [vocab_size]; empty at the start
  int64_t position = 0;
  // Model::fingerprint in snapshots that a user holds; 0 in those that a session keeps for rewind()
  uint64_t model = 0;
};

}  // namespace statera
