#include "lab/ppmd/ppmd.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/check.hpp"

namespace statera {

using ppmd::Block;
using ppmd::unit_bytes;

namespace {
// marks a link as a position in the text, whose context has not been made yet
constexpr uint32_t in_text = uint32_t{1} << 31;
constexpr int64_t least_memory = int64_t{1} << 20, most_memory = int64_t{2} << 30;
constexpr uint32_t most_frequent = 124;
constexpr bool high(uint8_t symbol) { return symbol >= 0x40; }
}  // namespace

// A symbol in a context: its count, and where it leads.
struct Ppmd::State {
  uint8_t symbol, frequency;
  uint16_t low, high;

  Link link() const { return static_cast<Link>(high) << 16 | low; }
  void lead_to(Link link) { low = static_cast<uint16_t>(link), high = static_cast<uint16_t>(link >> 16); }
};

// One unit. A context with one symbol holds that symbol's state. With more symbols it holds the total of their counts
// and the escape's, and the block of the states.
struct Ppmd::Context {
  uint16_t count;
  State only;
  Block suffix;  // the context without its first byte; 0: this is the empty context

  uint32_t total() const { return static_cast<uint32_t>(only.frequency) << 8 | only.symbol; }
  void set_total(uint32_t total) {
    only.symbol = static_cast<uint8_t>(total), only.frequency = static_cast<uint8_t>(total >> 8);
  }
  Block states() const { return only.link(); }
  void set_states(Block block) { only.lead_to(block); }
};

// Where a byte was found, and how.
struct Ppmd::Found {
  Block from;              // the longest context
  Block in;                // the context that has the byte
  State* state = nullptr;  // the byte's state in it
  double probability = 1;
  uint32_t escape = 0;  // the count of an escape from `from`, if that has one symbol
  bool high = false;    // whether the byte before is above 63
  Seen seen;            // symbols of longer contexts, which are excluded
  enum class How { binary, first, among, below } how = How::binary;
};

namespace {
constexpr int units_of(int states) { return (states + 1) / 2; }
}  // namespace

Ppmd::Ppmd(const PpmdOptions& o)
    : order_(o.order),
      limit_(static_cast<uint32_t>(std::clamp(o.memory, least_memory, most_memory) / unit_bytes)),
      units_(limit_) {
  static_assert(sizeof(State) == 6 && sizeof(Context) == unit_bytes);
  require(o.order >= 2 && o.order <= 64, ErrorCode::config, "[ppmd] order is ", o.order, ": it must be 2 to 64");
  require(o.memory >= least_memory && o.memory <= most_memory, ErrorCode::config, "[ppmd] memory is ", o.memory,
          " bytes: it must be 1 MiB to 2 GiB");
  restart();
  restarts_ = 0;
}

void Ppmd::restart() {
  ++restarts_;
  units_.clear();
  text_end_ = 0;
  binary_.clear();
  escapes_.clear();
  here_ = units_.take(1, 0);
  const Block block = units_.take(units_of(256), 0);
  Context& root = context(here_);
  root = {.count = 256, .only = {}, .suffix = 0};
  root.set_total(257);
  root.set_states(block);
  for (int i = 0; i < 256; ++i)
    states(root)[i] = {.symbol = static_cast<uint8_t>(i), .frequency = 1, .low = 0, .high = 0};
  fall_ = order_;
  run_ = -std::min(order_, 12) - 1;
  succeeded_ = false;
  last_ = 0;
}

Ppmd::State* Ppmd::states(Context& c) { return c.count == 1 ? &c.only : units_.at<State>(c.states()); }
const Ppmd::State* Ppmd::states(const Context& c) const {
  return c.count == 1 ? &c.only : units_.at<State>(c.states());
}

// `symbol` must be in `c`.
Ppmd::State& Ppmd::state_of(Context& c, uint8_t symbol) {
  State* s = states(c);
  while (s->symbol != symbol) ++s;
  return *s;
}

// The memory limit is shared with the text.
Block Ppmd::take(int units) { return units_.take(units, (text_end_ + unit_bytes - 1) / unit_bytes); }

// --- Prediction

uint32_t Ppmd::around_binary(const Context& c, const State& only) const {
  const uint32_t symbols = context(c.suffix).count;
  const uint32_t width = symbols == 1 ? 0 : symbols == 2 ? 1 : symbols <= 11 ? 2 : 3;
  return static_cast<uint32_t>(succeeded_) | width << 1 | static_cast<uint32_t>(high(last_)) << 3 |
         static_cast<uint32_t>(high(only.symbol)) << 4 | static_cast<uint32_t>(run_ < 0) << 5;
}

uint32_t Ppmd::around_escape(const Context& c, int masked, bool after_high) const {
  const int left = c.count - masked, more_below = context(c.suffix).count - c.count;
  return static_cast<uint32_t>(left < more_below) | static_cast<uint32_t>(c.total() < 11u * c.count) << 1 |
         static_cast<uint32_t>(masked > left) << 2 | static_cast<uint32_t>(after_high) << 3;
}

Ppmd::Found Ppmd::find(uint8_t byte) {
  Found found{.from = here_, .in = here_, .high = high(last_)};
  Context& c = context(here_);
  if (c.count == 1)
    find_binary(c, byte, found);
  else
    find_among(c, byte, found);
  if (!found.state) find_below(byte, found);
  return found;
}

void Ppmd::find_binary(Context& c, uint8_t byte, Found& found) {
  ppmd::Binary& p = binary_.at(c.only.frequency, around_binary(c, c.only));
  const bool came = c.only.symbol == byte;
  found.probability *= came ? p.again() : 1 - p.again();
  p.learn(came);
  if (came) {
    found.state = &c.only;
    return;
  }
  found.escape = p.escape_count();
  found.seen.set(c.only.symbol);
  succeeded_ = false;
}

void Ppmd::find_among(Context& c, uint8_t byte, Found& found) {
  State* s = states(c);
  const double total = c.total();
  uint32_t sum = 0;
  for (int i = 0; i < c.count; ++i, ++s) {
    if (s->symbol == byte) {
      found.probability *= s->frequency / total;
      found.state = s;
      found.how = i == 0 ? Found::How::first : Found::How::among;
      succeeded_ = i == 0 && 2u * s->frequency > c.total();
      return;
    }
    sum += s->frequency;
  }
  s = states(c);
  for (int i = 0; i < c.count; ++i, ++s) found.seen.set(s->symbol);
  found.probability *= (total - static_cast<double>(sum)) / total;
  succeeded_ = false;
}

// Searches shorter contexts, without the symbols of longer ones.
void Ppmd::find_below(uint8_t byte, Found& found) {
  found.how = Found::How::below;
  while (true) {
    const int masked = context(found.in).count;
    do {
      ++fall_;
      found.in = context(found.in).suffix;
    } while (context(found.in).count == masked);  // skip contexts without symbols that have not been tried yet
    Context& c = context(found.in);
    ppmd::Escape none, &cell = c.count == 256 ? none
                                              : escapes_.at(static_cast<uint32_t>(c.count - masked),
                                                            around_escape(c, masked, found.high));
    const uint32_t escape = cell.take();
    uint32_t sum = 0;
    State* s = states(c);
    for (int i = 0; i < c.count; ++i, ++s) {
      if (found.seen[s->symbol]) continue;
      sum += s->frequency;
      if (s->symbol == byte) found.state = s;
    }
    const double total = sum + escape;
    if (found.state) {
      found.probability *= found.state->frequency / total;
      cell.found();
      return;
    }
    found.probability *= escape / total;
    cell.escaped(sum + escape);
    s = states(c);
    for (int i = 0; i < c.count; ++i, ++s) found.seen.set(s->symbol);
  }
}

std::array<double, 256> Ppmd::probabilities() const {
  std::array<double, 256> p{};
  Seen seen;
  double left = 1;
  Block at = here_;
  const Context* c = &context(at);
  const State* s = states(*c);
  if (c->count == 1) {
    p[s->symbol] = binary_.at(s->frequency, around_binary(*c, *s)).again();
    left -= p[s->symbol];
    seen.set(s->symbol);
  } else {
    for (int i = 0; i < c->count; ++i) {
      p[s[i].symbol] = s[i].frequency / static_cast<double>(c->total());
      left -= p[s[i].symbol];
      seen.set(s[i].symbol);
    }
  }
  ppmd::EscapeTable escapes = escapes_;  // a copy, since an escape changes the cell that a shorter context may use
  while (c->suffix != 0) {
    const int masked = c->count;
    do c = &context(c->suffix);
    while (c->suffix != 0 && c->count == masked);
    if (c->count == masked) break;
    ppmd::Escape none, &cell = c->count == 256 ? none
                                               : escapes.at(static_cast<uint32_t>(c->count - masked),
                                                            around_escape(*c, masked, high(last_)));
    const uint32_t escape = cell.take();
    uint32_t sum = 0;
    s = states(*c);
    for (int i = 0; i < c->count; ++i) sum += seen[s[i].symbol] ? 0 : s[i].frequency;
    for (int i = 0; i < c->count; ++i)
      if (!seen[s[i].symbol]) {
        p[s[i].symbol] = left * s[i].frequency / (sum + escape);
        seen.set(s[i].symbol);
      }
    left *= escape / static_cast<double>(sum + escape);
    cell.escaped(sum + escape);
  }
  return p;
}

// --- Learning

double Ppmd::code(uint8_t byte) {
  Found found = find(byte);
  advance(found);
  return -std::log(found.probability);
}

// Counts the symbol in the context that had it, learns it in longer ones, and goes to the next context.
void Ppmd::advance(Found& found) {
  Context& c = context(found.in);
  State*& s = found.state;
  switch (found.how) {
    case Found::How::binary:
      if (s->frequency < 128) ++s->frequency;
      succeeded_ = true;
      ++run_;
      break;
    case Found::How::first:
      run_ += succeeded_;
      [[fallthrough]];
    case Found::How::below:
    case Found::How::among:
      s->frequency = static_cast<uint8_t>(s->frequency + 4);
      c.set_total(c.total() + 4);
      if (found.how == Found::How::among && s[0].frequency > s[-1].frequency) std::swap(s[0], s[-1]), --s;
      if (s->frequency > most_frequent) rescale(c, s);
      if (found.how == Found::How::below) run_ = -std::min(order_, 12) - 1;
  }
  last_ = s->symbol;
  const Link next = s->link();
  if (fall_ == 0 && next != 0 && !(next & in_text))
    here_ = next;
  else if (!learn(found))
    restart();
}

// Halves the counts of a context and moves the symbol just found to the front. Unless the order fell, symbols with
// count 1 are removed.
// go.
void Ppmd::rescale(Context& c, State*& found) {
  State* const begin = states(c);
  State* const end = begin + c.count;
  std::rotate(begin, found, found + 1);
  found = begin;
  uint32_t escape = c.total() - begin->frequency, sum = 0;
  begin->frequency = static_cast<uint8_t>(begin->frequency + 4);
  const int keep = fall_ != 0;
  for (State* s = begin; s != end; ++s) {
    if (s != begin) escape -= s->frequency;
    s->frequency = static_cast<uint8_t>((s->frequency + keep) >> 1);
    sum += s->frequency;
    if (s == begin || s[0].frequency <= s[-1].frequency) continue;
    State* to = s - 1;
    while (to != begin && s->frequency > to[-1].frequency) --to;
    std::rotate(to, s, s + 1);
  }
  if (end[-1].frequency == 0) {
    int kept = c.count;
    while (begin[kept - 1].frequency == 0) --kept;
    escape += static_cast<uint32_t>(c.count - kept);
    if (kept == 1) {
      State last = *begin;
      do last.frequency = static_cast<uint8_t>(last.frequency - (last.frequency >> 1));
      while ((escape >>= 1) > 1);
      units_.give(c.states(), units_of(c.count));
      c.count = 1;
      c.only = last;
      found = &c.only;
      return;
    }
    units_.shrink(c.states(), units_of(c.count), units_of(kept));
    c.count = static_cast<uint16_t>(kept);
  }
  c.set_total(sum + escape - (escape >> 1));
}

// If the symbol is still rare, its count in the next shorter context grows too.
void Ppmd::strengthen(Context& c, uint8_t symbol) {
  State* s = &state_of(c, symbol);
  if (c.count == 1) {
    if (s->frequency < 32) ++s->frequency;
    return;
  }
  if (s != states(c) && s[0].frequency >= s[-1].frequency) std::swap(s[0], s[-1]), --s;
  if (s->frequency < most_frequent - 9) {
    s->frequency = static_cast<uint8_t>(s->frequency + 2);
    c.set_total(c.total() + 2);
  }
}

// Adds the symbol to the contexts that failed, makes the contexts that its link stands for, and goes to the next
// context. Returns false if memory is full.
bool Ppmd::learn(const Found& found) {
  const Context& c = context(found.in);
  State& s = *found.state;
  if (s.frequency < most_frequent / 4 && c.suffix != 0) strengthen(context(c.suffix), s.symbol);
  if (fall_ == 0) {
    here_ = new_contexts(found, false);
    if (here_ == 0) return false;
    s.lead_to(here_);
    return true;
  }
  if (units_.end() + (text_end_ + unit_bytes) / unit_bytes >= limit_) return false;
  if (text_end_ == text_.size())
    text_.push_back(s.symbol);
  else
    text_[text_end_] = s.symbol;
  Link after = in_text | ++text_end_, next = s.link();
  if (next == 0) {
    s.lead_to(after);
    next = found.in;
  } else {
    if (next & in_text) next = new_contexts(found, true);
    if (next == 0) return false;
    if (--fall_ == 0) {
      after = next;
      text_end_ -= found.from != found.in;
    }
  }
  if (!add_symbol(found, after)) return false;
  here_ = next;
  return true;
}

// Adds the symbol to every context from the longest to the one that had it. Its first count is what the shorter context
// expects of it, scaled to the larger total.
bool Ppmd::add_symbol(const Found& found, Link after) {
  const Context& known = context(found.in);
  const uint32_t frequency = found.state->frequency, others = known.total() - known.count - (frequency - 1);
  for (Block at = found.from; at != found.in; at = context(at).suffix) {
    Context& c = context(at);
    State* s = grow(c, found.escape, known.count);
    if (!s) return false;
    const uint32_t expected = 2 * frequency * (c.total() + 6), total = others + c.total();
    uint32_t first, more;
    if (expected < 6 * total) {
      first = 1 + (expected > total) + (expected >= 4 * total);
      more = 3;
    } else {
      more = first = 4 + (expected >= 9 * total) + (expected >= 12 * total) + (expected >= 15 * total);
    }
    c.set_total(c.total() + more);
    s->symbol = found.state->symbol;
    s->frequency = static_cast<uint8_t>(first);
    s->lead_to(after);
  }
  return true;
}

// Makes room for one more symbol, not filled in. `escape`: the count of an escape, if `c` has one symbol; `symbols`:
// the number of symbols of the context that had the new one. Returns null if memory is full.
Ppmd::State* Ppmd::grow(Context& c, uint32_t escape, uint32_t symbols) {
  const int count = c.count;
  if (count == 1) {
    const Block block = take(1);
    if (block == 0) return nullptr;
    State* s = units_.at<State>(block);
    *s = c.only;
    s->frequency = static_cast<uint8_t>(s->frequency < most_frequent / 4 - 1 ? 2 * s->frequency : most_frequent - 4);
    c.set_states(block);
    c.set_total(s->frequency + escape + (symbols > 3));
  } else {
    if (!ppmd::Units::same(units_of(count), units_of(count + 1))) {
      const Block block = take(units_of(count + 1));
      if (block == 0) return nullptr;
      std::copy_n(states(c), count, units_.at<State>(block));
      units_.give(c.states(), units_of(count));
      c.set_states(block);
    }
    const auto have = static_cast<uint32_t>(count);
    c.set_total(c.total() + (2 * have < symbols) + 2 * (4 * have <= symbols && c.total() <= 8 * have));
  }
  ++c.count;
  return states(c) + count;
}

// Makes the contexts that end in the symbol just found, if its state leads only into the text. Each gets one symbol,
// the one in the text there. Returns the longest of them, 0 if memory is full. `with_found`: also for the context that
// had the symbol, not only for shorter ones.
Block Ppmd::new_contexts(const Found& found, bool with_found) {
  const Link place = found.state->link();
  std::array<State*, 64> leading;
  size_t n = 0;
  if (with_found) leading[n++] = found.state;
  Block at = found.in;
  while (context(at).suffix != 0) {
    at = context(at).suffix;
    State& s = state_of(context(at), found.state->symbol);
    if (s.link() != place) {
      at = s.link();
      break;
    }
    leading[n++] = &s;
  }
  if (n == 0) return at;
  State only = inherited(context(at), text_[place & ~in_text]);
  only.lead_to(place + 1);
  while (n > 0) {
    const Block block = take(1);
    if (block == 0) return 0;
    context(block) = {.count = 1, .only = only, .suffix = at};
    leading[--n]->lead_to(block);
    at = block;
  }
  return at;
}

// A state with the count that `symbol` deserves according to the shorter context.
Ppmd::State Ppmd::inherited(Context& c, uint8_t symbol) {
  const uint32_t frequency = state_of(c, symbol).frequency;
  if (c.count == 1) return {.symbol = symbol, .frequency = static_cast<uint8_t>(frequency), .low = 0, .high = 0};
  const uint32_t own = frequency - 1, others = c.total() - c.count - own;
  const uint32_t more = 2 * own <= others ? 5 * own > others : (2 * own + 3 * others - 1) / (2 * others);
  return {.symbol = symbol, .frequency = static_cast<uint8_t>(1 + more), .low = 0, .high = 0};
}

}  // namespace statera
