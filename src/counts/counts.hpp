// A model of bytes that starts empty and learns while it reads: it counts what came in many contexts, and mixes what
// they say (counts.md). The same bytes cost the same on every machine.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "counts/contexts.hpp"
#include "counts/history.hpp"
#include "counts/logistic.hpp"
#include "counts/maps.hpp"
#include "counts/match.hpp"
#include "counts/mixer.hpp"
#include "counts/outside.hpp"
#include "counts/shares.hpp"
#include "counts/table.hpp"
#include "counts/text.hpp"

namespace statera {

// The parts of a model. All are on; to measure what a part is worth, turn it off.
struct CountsParts {
  bool words = true;    // contexts of words
  bool sparse = true;   // contexts that leave bytes out, and those of what came after the same bytes earlier
  bool records = true;  // contexts of columns, lines, records and structure
  bool samples = true;  // linear prediction of the bytes as samples of 8 or 16 bits, and contexts of it
  bool runs = true;     // the byte that came last in a context, as a guess
  bool matches = true;  // earlier places that end like the text
  bool refined = true;  // the mixed probability is corrected once more (secondary estimation)
  bool sets = true;     // weights are chosen by seven contexts; false: by the bits of the byte alone
};

struct CountsOptions {
  int64_t memory_bytes = int64_t{256} << 20;  // the most it may use, 16 MiB to 64 GiB
  int outside = 0;                            // how many outside distributions it gets, 0 to 4
  CountsParts parts;
};

// The cost of one byte in bits.
struct CountsCost {
  double all = 0;     // with the outside distributions
  double counts = 0;  // without; the same where there are none
};

namespace counts {

constexpr size_t match_count = 3, set_count = 7, outside_most = 4;
constexpr size_t per_context = 3, per_match = 2;  // inputs of the mixer
constexpr size_t round_to_lanes(size_t inputs) {
  return (inputs + lanes_of_inputs - 1) / lanes_of_inputs * lanes_of_inputs;
}
constexpr size_t inner_inputs =
    round_to_lanes(context_count * per_context + match_count * per_match + 3 + Samples::scales);
constexpr size_t last_inputs = round_to_lanes(set_count + 1 + Samples::scales);
constexpr size_t both_inputs = round_to_lanes(set_count + 2 + 2 * outside_most), both_sets = 3;
using InnerMixer = Mixer<set_count, inner_inputs>;
using LastMixer = Mixer<1, last_inputs>;
using BothMixer = Mixer<both_sets, both_inputs>;
// of the mixture, the counts alone, and each outside distribution
constexpr size_t most_opinions = 2 + outside_most;
// what the mixers say, and what samples say
constexpr size_t own_opinions = 1 + Samples::scales;

// The row of each context for some bits of a byte. Rows of contexts that were never seen are all 0.
using Rows = std::array<Row, context_count>;

// All that was used to predict one bit, kept until the byte is known.
struct Step {
  InnerMixer::Values inner{};
  InnerMixer::Chosen inner_chosen{};
  InnerMixer::Sums inner_sums{};
  LastMixer::Values last{};
  LastMixer::Chosen last_chosen{};
  LastMixer::Sums last_sums{};
  BothMixer::Values both{};
  BothMixer::Chosen both_chosen{};
  BothMixer::Sums both_sums{};
  static constexpr uint32_t none = UINT32_MAX;
  std::array<uint32_t, context_count> history{}, run{};  // cells, or none
  std::array<uint32_t, match_count> match{};             // the same
  std::array<uint32_t, 2> direct{};
  std::array<Refinement::Place, 3> places{};
  std::array<uint32_t, most_opinions> opinions{};
  std::array<uint32_t, own_opinions> own{};
  uint32_t p_counts = 32768, p = 32768;
};

}  // namespace counts

// Owns its tables. A copy is an independent model in the same state. Not thread safe.
//
//   Counts model;
//   for (uint8_t byte : text) bits += model.code(byte).all;
//
// A coder asks bit by bit, the most significant first: begin_byte(), then eight times p() and update(bit). The model
// learns the eight bits when it has the last one, so p() of a bit does not depend on learning from those before it in
// the same byte; that is why distribution() is exact.
class Counts {
 public:
  explicit Counts(const CountsOptions& options = {});  // throws ErrorCode::config for an option out of range

  // Starts a byte. `outside`: one distribution each, or none at all where they are not known for this byte. Throws
  // ErrorCode::config for another number of them or within a byte, ErrorCode::numeric for what is no probability.
  void begin_byte(std::span<const std::span<const float, 256>> outside = {});
  // The probability that the next bit is 1, in units of 2^-16, 1 to 65535. Valid within a byte.
  uint32_t p() const { return steps_[bit_].p; }
  uint32_t p_counts() const { return steps_[bit_].p_counts; }  // without the outside distributions
  void update(int bit);

  // begin_byte and eight times update. Returns what the byte cost.
  CountsCost code(uint8_t byte, std::span<const std::span<const float, 256>> outside = {});
  // The probability of each byte, after begin_byte and before the first update. It is the product of the probabilities
  // of the bits that update would see, so it sums to 1 but for rounding. `alone`: without the outside distributions.
  std::array<double, 256> distribution(bool alone = false) const;

  // Everything that it has learned, as bytes, the same on all machines (counts_saved.cpp). Within a byte, the bits so
  // far are saved too, but not the outside distributions.
  std::string save() const;
  // Throws ErrorCode::io if the bytes were not written by save() of this version, or are damaged.
  static Counts restore(std::span<const uint8_t> bytes);

  const CountsOptions& options() const { return options_; }
  int64_t memory_bytes() const;                   // in use, at most options().memory_bytes
  uint64_t size() const { return text_.size(); }  // bytes that were read

 private:
  struct Sizes;
  Counts(const CountsOptions& options, const Sizes& sizes);
  static CountsOptions checked(const CountsOptions& options);
  void fetch() const;
  void find_rows(uint32_t prefix, counts::Rows& rows) const;
  void predict(uint32_t prefix, const counts::Rows& first, const counts::Rows& rows, counts::Step& step) const;
  void ask_contexts(uint32_t prefix, const counts::Rows& first, const counts::Rows& rows, counts::Step& step) const;
  uint32_t ask_matches(uint32_t prefix, counts::Step& step) const;
  void ask_both(uint32_t prefix, counts::Step& step) const;
  std::span<const uint32_t> opinions(const counts::Step& step) const;
  void refine(uint32_t prefix, uint32_t guess, counts::Step& step) const;
  void walk(uint32_t prefix, double p, const counts::Rows& rows, bool alone, std::array<double, 256>& out) const;
  void learn(uint8_t byte);
  void learn_bit(const counts::Step& step, uint8_t byte, uint32_t shift);
  void learn_rows(uint8_t byte);
  void learn_row(counts::Row& row, uint32_t byte, uint32_t shift, int bits);
  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visitor);

  CountsOptions options_;
  counts::Text text_;
  counts::Table table_;
  counts::Contexts contexts_;
  std::vector<counts::ContextName> used_;  // the contexts of options_.parts
  std::vector<counts::Match> matches_;
  std::vector<counts::Cell> history_cells_, run_cells_, match_cells_, direct_cells_;
  counts::InnerMixer inner_;
  counts::LastMixer last_;
  counts::BothMixer both_;
  counts::Shares<counts::most_opinions> shares_;
  counts::Shares<counts::own_opinions> own_shares_;
  std::vector<counts::Refinement> refinements_;
  uint32_t random_ = 1;

  // This byte.
  std::vector<counts::Outside> outside_;  // empty: not known
  bool begun_ = false;
  uint32_t prefix_ = 1, found_ = 0;  // the bits so far after a 1; how many of the orders know the context
  size_t bit_ = 0;
  std::array<counts::Rows, 2> rows_{};  // of the first two bits, and of the bits now
  std::array<counts::Step, 8> steps_;
};

}  // namespace statera
