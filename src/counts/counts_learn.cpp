// What Counts does when it has a byte.
#include <algorithm>

#include "counts/counts.hpp"
#include "counts/hash.hpp"

namespace statera {

using namespace counts;

namespace {
// How long a cell goes on averaging before it forgets.
constexpr uint32_t history_limit = 1023, run_limit = 1023, match_limit = 255, direct_limit = 1023;
constexpr int32_t last_rate = 30, both_rate = 45;
constexpr int own_shared_out = 12, shared_out = 10;  // after a byte, opinions share out 2^-12 or 2^-10 of their weight
// The inner weights learn fast at first.
int32_t inner_rate(uint64_t read) { return 20 + static_cast<int32_t>(120000 / (1000 + read / 16)); }
}  // namespace

void Counts::learn(uint8_t byte) {
  for (uint32_t bit = 0; bit < 8; ++bit) learn_bit(steps_[bit], byte, 7 - bit);
  if (!outside_.empty()) shares_.share(opinions(steps_[0]).size(), shared_out);
  if (options_.parts.samples) own_shares_.share(own_opinions, own_shared_out);
  learn_rows(byte);
  text_.add(byte);
  contexts_.advance(text_);
  for (Match& match : matches_) match.advance(text_);
}

void Counts::learn_bit(const Step& step, uint8_t byte, uint32_t shift) {
  const uint32_t bit = byte >> shift & 1;
  inner_.learn(step.inner, step.inner_chosen, step.inner_sums, bit, inner_rate(text_.size()));
  last_.learn(step.last, step.last_chosen, step.last_sums, bit, last_rate);
  if (!outside_.empty()) {
    both_.learn(step.both, step.both_chosen, step.both_sums, bit, both_rate);
    shares_.learn(opinions(step), bit);
  }
  if (options_.parts.samples) own_shares_.learn(step.own, bit);
  for (const ContextName c : used_) {
    if (step.history[c] != Step::none) history_cells_[step.history[c]].learn(bit, history_limit);
    if (step.run[c] != Step::none) {
      const uint32_t expected = rows_[0][c][3] >> shift & 1;
      run_cells_[step.run[c]].learn(expected == bit, run_limit);
    }
  }
  for (size_t m = 0; m < match_count; ++m)
    if (step.match[m] != Step::none)
      match_cells_[step.match[m]].learn((matches_[m].expected(text_) >> shift & 1u) == bit, match_limit);
  for (const uint32_t cell : step.direct) direct_cells_[cell].learn(bit, direct_limit);
  if (options_.parts.refined)
    for (size_t i = 0; i < refinements_.size(); ++i) refinements_[i].learn(step.places[i], bit);
}

// The histories of `bits` bits of the byte, of which the first is the one at `shift`.
void Counts::learn_row(Row& row, uint32_t byte, uint32_t shift, int bits) {
  uint32_t slot = 1;
  for (int i = 0; i < bits; ++i, --shift) {
    const uint32_t bit = byte >> shift & 1;
    uint8_t& state = row[slot - 1];
    random_ = random_ * 1664525 + 1013904223;
    if (histories().chance[state][bit] >= random_ >> 16) state = histories().next[state][bit];
    slot = slot << 1 | bit;
  }
}

void Counts::learn_rows(uint8_t byte) {
  const uint32_t full = byte | 256u;
  for (const ContextName c : used_) {
    const uint64_t context = contexts_.hashes()[c];
    Row& first = table_.find_or_add(table_.key(mix_hash(context, 1)));
    learn_row(first, full, 7, 2);
    if (first[4] > 0 && first[3] == byte) {
      first[4] = static_cast<uint8_t>(std::min(first[4] + 1, 255));
    } else {
      first[3] = byte, first[4] = 1;
    }
    learn_row(table_.find_or_add(table_.key(mix_hash(context, full >> 6))), full, 5, 3);
    learn_row(table_.find_or_add(table_.key(mix_hash(context, full >> 3))), full, 2, 3);
  }
}

}  // namespace statera
