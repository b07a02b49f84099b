#include "counts/history.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <tuple>
#include <vector>

namespace statera::counts {
namespace {

struct Key {
  int zeros = 0, ones = 0;
  unsigned last = 0;  // the most recent bits, the latest lowest
  auto operator<=>(const Key&) const = default;
};

// Counts above 8 are kept in steps of about a quarter.
int step_of(int n) { return n < 8 ? 1 : std::max(2, n / 5); }

// The largest count that may stand beside the smaller count `minor`.
int most_beside(int minor) {
  constexpr std::array<int, 7> most{63, 38, 17, 11, 8, 7, 7};
  return minor < 7 ? most[static_cast<size_t>(minor)] : minor;
}

// How many of the latest bits are kept: all of a short history, one of a long one.
int kept(int zeros, int ones) {
  if (zeros == 0 || ones == 0) return 0;
  return zeros + ones <= 4 ? zeros + ones : zeros + ones <= 6 ? 2 : 1;
}

Key after(const Key& from, int bit, int& step) {
  int same = bit ? from.ones : from.zeros, other = bit ? from.zeros : from.ones;
  step = 1;
  // What came is surprising news after a long run of the other: the run counts less from now on.
  if (other > 2) other = std::min(other, static_cast<int>(std::bit_width(static_cast<unsigned>(other))) + 1);
  const int wanted = same + step_of(same);
  if (wanted <= most_beside(other)) {
    step = wanted - same;
    same = wanted;
  } else if (same > most_beside(other)) {
    same = most_beside(other);
  }
  Key to{bit ? other : same, bit ? same : other, 0};
  // A history of one kind alone needs no bits: they are known.
  const unsigned before = from.zeros == 0 && from.ones > 0 ? ~0u : from.last;
  const int keep = kept(to.zeros, to.ones);
  to.last = ((before << 1) | static_cast<unsigned>(bit)) & ((1u << keep) - 1);
  return to;
}

Histories make() {
  Histories made{};
  std::map<Key, uint8_t> number{{Key{}, uint8_t{0}}};
  std::vector<Key> order{Key{}};
  for (size_t i = 0; i < order.size(); ++i)
    for (int bit = 0; bit < 2; ++bit) {
      int step = 1;
      const Key to = after(order[i], bit, step);
      const auto [place, fresh] = number.try_emplace(to, static_cast<uint8_t>(order.size()));
      if (fresh) order.push_back(to);
      const auto b = static_cast<size_t>(bit);
      made.next[i % 256][b] = place->second;
      made.chance[i % 256][b] = static_cast<uint16_t>(65535 / step);
    }
  made.states = static_cast<int>(order.size());
  for (size_t i = 0; i < order.size() && i < 256; ++i)
    made.zeros[i] = static_cast<uint8_t>(order[i].zeros), made.ones[i] = static_cast<uint8_t>(order[i].ones);
  return made;
}

}  // namespace

const Histories& histories() {
  static const Histories made = make();
  return made;
}

}  // namespace statera::counts
