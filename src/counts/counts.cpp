#include "counts/counts.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/check.hpp"
#include "core/isa.hpp"
#include "counts/hash.hpp"

namespace statera {

using namespace counts;

namespace {

constexpr int32_t weight_of_outside = weight_one / 2;
constexpr std::array<size_t, match_count> shortest_match{5, 12, 24};
constexpr uint32_t run_lengths = 32;
constexpr std::array<ContextName, 9> orders{order1, order2, order3, order4, order5, order6, order8, order11, order16};
// Contexts of the sets of weights: the bits of the byte, the last two bytes, the match, how many orders know the
// context, the kinds of the last bytes, the column.
constexpr std::array<size_t, set_count> set_contexts{256, 256, 256, 34 * 8, 10 * 8, 256 * 8, Contexts::columns * 8};
constexpr std::array<size_t, both_sets> both_contexts{256, 34 * 8, 10 * 8};
constexpr std::array<size_t, 3> refinement_contexts{65536, 65536, 16384};

// The bits of a byte lie in three rows: two, three and three bits. The first bit of the row that holds `bit`:
constexpr int row_begin(int bit) { return bit < 2 ? 0 : bit < 5 ? 2 : 5; }
// The place of the decision after `prefix` in its row; the first row has two more bytes than it needs.
size_t slot_of(uint32_t prefix) {
  const int bit = std::bit_width(prefix) - 1, in_row = bit - row_begin(bit);
  return (1u << in_row) - 1 + (prefix & ((1u << in_row) - 1));
}
constexpr size_t last_byte = 3, run_length = 4;  // in the first row: the byte that came last, how often in succession

uint64_t row_hash(uint64_t context, uint32_t prefix) { return mix_hash(context, prefix); }

bool is_used(ContextName name, const CountsParts& parts) {
  if (name == word || name == word_and_one || name == word_and_two) return parts.words;
  if (name >= gap1_3 && name <= gap2) return parts.sparse;
  if (name == follow_one || name == follow_two) return parts.sparse;
  if (name >= column_above && name <= structure) return parts.records;
  if (name >= sample_line && name <= sample_pair) return parts.samples;
  return true;
}

std::vector<ContextName> used_contexts(const CountsParts& parts) {
  std::vector<ContextName> used;
  for (size_t c = 0; c < context_count; ++c)
    if (is_used(static_cast<ContextName>(c), parts)) used.push_back(static_cast<ContextName>(c));
  return used;
}

// An expectation of one bit as an input: towards 1 or towards 0.
int32_t towards(uint32_t bit, int32_t x) { return bit ? x : -x; }
int32_t distance_from_half(uint32_t p) { return (static_cast<int32_t>(p) - 32768) >> 5; }

}  // namespace

// The mixture has to show that it is better than the counts; an outside distribution alone seldom is.
std::array<uint64_t, most_opinions> first_shares(int outside) {
  constexpr uint64_t one = Shares<most_opinions>::one;
  std::array<uint64_t, most_opinions> shares;
  shares.fill(1);  // also of opinions that do not exist: no share may be 0
  shares[0] = one / 2;
  shares[1] = one / 2 - one / 16;
  for (size_t i = 0; i < static_cast<size_t>(outside); ++i) shares[2 + i] = one / 16 / static_cast<uint64_t>(outside);
  return shares;
}

// Samples start with little trust, since few data are sound.
std::array<uint64_t, own_opinions> first_own_shares() {
  constexpr uint64_t one = Shares<own_opinions>::one;
  std::array<uint64_t, own_opinions> shares;
  shares.fill(one / 16 / Samples::scales);
  shares[0] = one - one / 16;
  return shares;
}

// How the memory is shared out: an eighth for the text, a sixteenth for the places of matches, the rest for histories.
struct Counts::Sizes {
  explicit Sizes(const CountsOptions& options) {
    const auto memory = static_cast<uint64_t>(options.memory_bytes);
    text = static_cast<size_t>(std::min(std::bit_floor(memory / 8), uint64_t{1} << 30));
    places = static_cast<size_t>(memory / 16 / match_count / sizeof(uint32_t));
    buckets = static_cast<size_t>((memory - text - memory / 16 - fixed) / sizeof(Bucket));
  }
  static constexpr uint64_t fixed = uint64_t{12} << 20;  // cells, weights and refinements
  size_t text, places, buckets;
};

CountsOptions Counts::checked(const CountsOptions& options) {
  apply_environment_isa();
  constexpr int64_t least = int64_t{16} << 20, most = int64_t{64} << 30;
  require(options.memory_bytes >= least && options.memory_bytes <= most, ErrorCode::config, "[counts] memory_bytes is ",
          options.memory_bytes, ": it must be between ", least, " (16 MiB) and ", most, " (64 GiB)");
  require(options.outside >= 0 && options.outside <= static_cast<int>(outside_most), ErrorCode::config,
          "[counts] outside is ", options.outside, ": it must be between 0 and ", outside_most);
  return options;
}

Counts::Counts(const CountsOptions& options) : Counts(options, Sizes(checked(options))) {}

Counts::Counts(const CountsOptions& options, const Sizes& sizes)
    : options_(options),
      text_(sizes.text),
      table_(sizes.buckets),
      used_(used_contexts(options.parts)),
      run_cells_(context_count * run_lengths * 8, Cell(60000)),
      match_cells_(match_count * Match::situations * 8, Cell(50000)),
      direct_cells_(65536 + 256),
      inner_(set_contexts, weight_one / 16),
      last_({256}, weight_one / static_cast<int32_t>(set_count)),
      both_(both_contexts, 0),
      shares_(first_shares(options.outside)),
      own_shares_(first_own_shares()) {
  history_cells_.reserve(context_count * 256);
  const Histories& known = histories();
  for (size_t c = 0; c < context_count; ++c)
    for (size_t s = 0; s < 256; ++s)
      history_cells_.emplace_back((known.ones[s] * 2u + 1) * 65535u / ((known.zeros[s] + known.ones[s]) * 2u + 2));
  for (const size_t shortest : shortest_match) matches_.emplace_back(shortest, sizes.places);
  for (const size_t contexts : refinement_contexts) refinements_.emplace_back(contexts);
  for (size_t s = 0; s < Samples::scales; ++s) last_.set(set_count + 1 + s, 0);
  both_.set(set_count, weight_one / 2);
  for (int i = 0; i < options.outside; ++i)
    both_.set(set_count + 2 + 2 * static_cast<size_t>(i), weight_of_outside / options.outside);
}

int64_t Counts::memory_bytes() const {
  const auto bytes_of = [](const auto& values) { return values.size() * sizeof(values[0]); };
  size_t sum = sizeof(*this) + text_.bytes() + table_.bytes();
  for (const Match& match : matches_) sum += match.bytes();
  for (const auto* cells : {&history_cells_, &run_cells_, &match_cells_, &direct_cells_}) sum += bytes_of(*cells);
  sum += inner_.bytes() + last_.bytes() + both_.bytes();
  for (const Refinement& refinement : refinements_) sum += refinement.bytes();
  return static_cast<int64_t>(sum);
}

void Counts::fetch() const {
  for (const ContextName c : used_) table_.prefetch(table_.key(row_hash(contexts_.hashes()[c], prefix_)));
}

void Counts::find_rows(uint32_t prefix, Rows& rows) const {
  for (const ContextName c : used_) {
    const Row* row = table_.find(table_.key(row_hash(contexts_.hashes()[c], prefix)));
    rows[c] = row ? *row : Row{};
  }
}

void Counts::begin_byte(std::span<const std::span<const float, 256>> outside) {
  require(bit_ == 0, ErrorCode::config, "[counts] begin_byte within a byte: it still needs ", 8 - bit_, " bits");
  require(outside.empty() || outside.size() == static_cast<size_t>(options_.outside), ErrorCode::config,
          "[counts] got ", outside.size(), " outside distributions: the options say ", options_.outside);
  outside_.resize(outside.size());
  for (size_t i = 0; i < outside.size(); ++i) outside_[i].set(outside[i]);
  begun_ = true;
  prefix_ = 1;
  find_rows(prefix_, rows_[0]);
  found_ = 0;
  for (const ContextName c : orders) found_ += rows_[0][c][0] != 0 ? 1 : 0;
  predict(prefix_, rows_[0], rows_[0], steps_[0]);
}

void Counts::ask_contexts(uint32_t prefix, const Rows& first, const Rows& rows, Step& step) const {
  const Logistic& tables = logistic();
  const int bit = std::bit_width(prefix) - 1;
  const size_t slot = slot_of(prefix);
  for (const ContextName c : used_) {
    int32_t* x = &step.inner[c * per_context];
    const uint32_t state = rows[c][slot];
    step.history[c] = Step::none;
    x[0] = x[1] = x[2] = 0;
    if (state != 0) {
      step.history[c] = static_cast<uint32_t>(c * 256 + state);
      const uint32_t p = history_cells_[step.history[c]].p();
      x[0] = stretch(tables, p), x[1] = distance_from_half(p);
    }
    const uint32_t length = first[c][run_length], guess = first[c][last_byte] | 256u;
    step.run[c] = Step::none;
    if (length > 0 && options_.parts.runs && guess >> (8 - bit) == prefix) {
      const auto kind = static_cast<uint32_t>(c) * run_lengths + std::min(length, run_lengths - 1);
      step.run[c] = kind * 8 + static_cast<uint32_t>(bit);
      x[2] = towards(guess >> (7 - bit) & 1, stretch(tables, run_cells_[step.run[c]].p()));
    }
  }
}

// Returns what the longest match expects and how sure it is: 0 for nothing, else 1 + situation, and the byte above.
uint32_t Counts::ask_matches(uint32_t prefix, Step& step) const {
  const int bit = std::bit_width(prefix) - 1;
  uint32_t best = 0;
  for (size_t m = 0; m < match_count; ++m) {
    int32_t* x = &step.inner[context_count * per_context + m * per_match];
    const Match& match = matches_[m];
    const uint32_t guess = match.found() ? match.expected(text_) | 256u : 0;
    step.match[m] = Step::none;
    x[0] = x[1] = 0;
    if (guess == 0 || !options_.parts.matches || guess >> (8 - bit) != prefix) continue;
    const uint32_t situation = match.situation(), expected = guess >> (7 - bit) & 1;
    step.match[m] = (static_cast<uint32_t>(m) * Match::situations + situation) * 8 + static_cast<uint32_t>(bit);
    const uint32_t p = match_cells_[step.match[m]].p();
    x[0] = towards(expected, stretch(logistic(), p)), x[1] = towards(expected, distance_from_half(p));
    best = (guess & 255) << 8 | (situation < 32 ? situation + 2 : 1);
  }
  return best;
}

void Counts::predict(uint32_t prefix, const Rows& first, const Rows& rows, Step& step) const {
  ask_contexts(prefix, first, rows, step);
  const uint32_t guess = ask_matches(prefix, step);
  const uint32_t c1 = text_.back(1), c2 = text_.back(2);
  step.direct = {c1 << 8 | prefix, 65536 + prefix};
  size_t i = context_count * per_context + match_count * per_match;
  for (const uint32_t cell : step.direct) step.inner[i++] = stretch(logistic(), direct_cells_[cell].p());
  step.inner[i++] = 256;  // 1: a constant
  if (options_.parts.samples)
    for (size_t s = 0; s < Samples::scales; ++s) {
      step.own[1 + s] = contexts_.samples().p(prefix, s);
      step.inner[i + s] = stretch(logistic(), step.own[1 + s]);
    }
  const auto bit = static_cast<uint32_t>(std::bit_width(prefix) - 1);
  step.inner_chosen = {prefix,
                       c1,
                       c2,
                       (guess & 255) * 8 + bit,
                       found_ * 8 + bit,
                       contexts_.last_kinds() * 8 + bit,
                       contexts_.column() * 8 + bit};
  if (!options_.parts.sets) step.inner_chosen = {prefix};
  step.inner_sums = inner_.mix(step.inner, step.inner_chosen);
  std::ranges::copy(step.inner_sums, step.last.begin());
  step.last[set_count] = 256;
  if (options_.parts.samples)
    for (size_t s = 0; s < Samples::scales; ++s) step.last[set_count + 1 + s] = step.inner[i + s];
  step.last_chosen = {prefix};
  step.last_sums = last_.mix(step.last, step.last_chosen);
  refine(prefix, guess, step);
  if (options_.parts.samples) {
    step.own[0] = step.p_counts;
    step.p_counts = own_shares_.mix(step.own);
  }
  step.both_chosen = {prefix, (guess & 255) * 8 + bit, found_ * 8 + bit};
  ask_both(prefix, step);
}

void Counts::refine(uint32_t prefix, uint32_t guess, Step& step) const {
  step.p_counts = squash(logistic(), step.last_sums[0]);
  if (!options_.parts.refined) return;
  const uint32_t c1 = text_.back(1), c2 = text_.back(2);
  const auto hashed = [&](uint64_t what, size_t contexts) {
    return static_cast<size_t>((mix_hash(what, prefix) >> 32) * contexts >> 32);
  };
  const std::array<size_t, 3> at{c1 << 8 | prefix, hashed(c1 << 8 | c2, refinement_contexts[1]),
                                 hashed(guess, refinement_contexts[2])};
  uint32_t sum = step.p_counts * 2;
  for (size_t i = 0; i < at.size(); ++i) {
    step.places[i] = refinements_[i].place(at[i], step.last_sums[0]);
    sum += refinements_[i].p(step.places[i]) * (i == 1 ? 2 : 1);
  }
  step.p_counts = std::clamp(sum / 6, 1u, 65535u);
}

void Counts::ask_both(uint32_t prefix, Step& step) const {
  step.p = step.p_counts;
  if (outside_.empty()) return;
  std::ranges::copy(step.inner_sums, step.both.begin());
  step.both[set_count] = stretch(logistic(), step.p_counts);
  step.both[set_count + 1] = 256;
  for (size_t i = 0; i < outside_.size(); ++i) {
    const uint32_t p = outside_[i].p(prefix);
    step.both[set_count + 2 + 2 * i] = stretch(logistic(), p);
    step.both[set_count + 3 + 2 * i] = distance_from_half(p);
    step.opinions[2 + i] = p;
  }
  step.both_sums = both_.mix(step.both, step.both_chosen);
  int32_t sum = 0;
  for (const int32_t x : step.both_sums) sum += x;
  step.opinions[0] = squash(logistic(), sum / static_cast<int32_t>(both_sets));
  step.opinions[1] = step.p_counts;
  step.p = shares_.mix(opinions(step));
}

std::span<const uint32_t> Counts::opinions(const Step& step) const {
  return std::span(step.opinions).first(2 + outside_.size());
}

void Counts::update(int bit) {
  require(begun_, ErrorCode::config, "[counts] update before begin_byte");
  prefix_ = prefix_ << 1 | (bit ? 1u : 0u);
  if (++bit_ == 8) {
    learn(static_cast<uint8_t>(prefix_));
    prefix_ = 1, bit_ = 0, begun_ = false;
    return fetch();
  }
  if (row_begin(static_cast<int>(bit_)) == static_cast<int>(bit_)) {
    fetch();
    find_rows(prefix_, rows_[1]);
  }
  predict(prefix_, rows_[0], bit_ < 2 ? rows_[0] : rows_[1], steps_[bit_]);
}

CountsCost Counts::code(uint8_t byte, std::span<const std::span<const float, 256>> outside) {
  begin_byte(outside);
  CountsCost cost;
  for (int shift = 7; shift >= 0; --shift) {
    const bool one = byte >> shift & 1;
    cost.all -= std::log2(static_cast<double>(one ? p() : 65536 - p()) / 65536);
    cost.counts -= std::log2(static_cast<double>(one ? p_counts() : 65536 - p_counts()) / 65536);
    update(one);
  }
  return cost;
}

std::array<double, 256> Counts::distribution(bool alone) const {
  require(begun_ && bit_ == 0, ErrorCode::config,
          "[counts] distribution is known after begin_byte and before the first update");
  std::array<double, 256> out;
  walk(1, 1, rows_[0], alone, out);
  return out;
}

void Counts::walk(uint32_t prefix, double p, const Rows& rows, bool alone, std::array<double, 256>& out) const {
  if (prefix >= 256) {
    out[prefix - 256] = p;
    return;
  }
  const int bit = std::bit_width(prefix) - 1;
  Rows here;
  if (bit > 0 && row_begin(bit) == bit)
    find_rows(prefix, here);
  else
    here = rows;
  Step step;
  predict(prefix, rows_[0], here, step);
  const double one = static_cast<double>(alone ? step.p_counts : step.p) / 65536;
  walk(prefix << 1, p * (1 - one), here, alone, out);
  walk(prefix << 1 | 1, p * one, here, alone, out);
}

}  // namespace statera
