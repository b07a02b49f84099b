// PPMd, variant H (Shkarin 2002; the PPMd of 7-Zip). It predicts each byte from the longest context in which it has
// seen a byte before, and then learns it. The cost of a text is the sum of -ln p; an arithmetic coder would write as
// much. ppmd.md explains the model.
#pragma once
#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

#include "lab/ppmd/adaptive.hpp"
#include "lab/ppmd/units.hpp"

namespace statera {

struct PpmdOptions {
  int order = 6;  // bytes of the longest context, 2 to 64
  // bytes, 1 MiB to 2 GiB; a model that needs more forgets everything and starts over
  int64_t memory = int64_t{256} << 20;
};

// Owns its tables. A copy is an independent model with the same state. Not thread safe.
class Ppmd {
 public:
  explicit Ppmd(const PpmdOptions& options = {});  // throws ErrorCode::config for an option out of range

  // Returns the cost of `byte` as the next one, in nats, and learns it.
  double code(uint8_t byte);
  // The probability of each byte as the next one. They sum to a little below 1: the format reserves a share for the end
  // of the text.
  std::array<double, 256> probabilities() const;

  int64_t restarts() const { return restarts_; }
  int64_t memory_used() const { return int64_t{units_.end()} * ppmd::unit_bytes + text_end_; }

 private:
  struct State;
  struct Context;
  struct Found;
  using Link = uint32_t;  // a context (its block), a position in the text (with in_text), or 0
  using Seen = std::bitset<256>;

  Context& context(ppmd::Block block) { return *units_.at<Context>(block); }
  const Context& context(ppmd::Block block) const { return *units_.at<Context>(block); }
  State* states(Context& c);
  const State* states(const Context& c) const;
  State& state_of(Context& c, uint8_t symbol);

  uint32_t around_binary(const Context& c, const State& only) const;
  uint32_t around_escape(const Context& c, int masked, bool high) const;

  Found find(uint8_t byte);
  void find_binary(Context& c, uint8_t byte, Found& found);
  void find_among(Context& c, uint8_t byte, Found& found);
  void find_below(uint8_t byte, Found& found);

  void advance(Found& found);
  void rescale(Context& c, State*& found);
  void strengthen(Context& c, uint8_t symbol);
  bool learn(const Found& found);
  bool add_symbol(const Found& found, Link after);
  State* grow(Context& c, uint32_t escape, uint32_t symbols);
  ppmd::Block new_contexts(const Found& found, bool with_found);
  State inherited(Context& c, uint8_t symbol);
  ppmd::Block take(int units);
  void restart();

  int order_;
  uint32_t limit_;  // in units
  ppmd::Units units_;
  std::vector<uint8_t> text_;  // what links into the text point to; the first text_end_ bytes are in use
  uint32_t text_end_ = 0;
  ppmd::BinaryTable binary_;
  ppmd::EscapeTable escapes_;

  ppmd::Block here_ = 0;  // the longest context for the next byte
  int fall_ = 0;          // how much shorter it is than `order`
  int run_ = 0;           // negative after a failure; rises with each byte that was likely
  bool succeeded_ = false;
  uint8_t last_ = 0;
  int64_t restarts_ = 0;
};

}  // namespace statera
