// The loops of ngram_rows.hpp.
#include <algorithm>
#include <array>

#include "mixers/ngram/ngram_rows.hpp"

namespace statera {

namespace {
constexpr double most_id = 1 << 24;  // whole numbers up to here are exact in float

// The finaliser of SplitMix64 (Steele et al., 2014).
constexpr uint64_t mixed(uint64_t x) {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

constexpr uint64_t factor(int64_t stream, int64_t number) {
  return mixed(static_cast<uint64_t>(stream * 4096 + number + 1) * 0x9E3779B97F4A7C15u) | 1;
}

template <class T>
void rows(const NgramRows<T>& a, Exec&) noexcept {
  const auto before = static_cast<size_t>(a.order - 1);
  std::array<uint64_t, most_ngram_order> by_age{}, seen{};  // seen[j]: the id j positions ago, plus 1
  for (int64_t j = 0; j < a.order; ++j) by_age[static_cast<size_t>(j)] = factor(0, j);
  int32_t* row = a.rows;
  for (int64_t s = 0; s < a.sequences; ++s) {
    seen.fill(0);
    if (a.initial && a.start[s] > 0)
      for (size_t j = 0; j < before; ++j) {
        const auto kept = static_cast<double>(a.initial[s][j]);
        seen[j] = kept >= 1 && kept <= most_id ? static_cast<uint64_t>(kept) : 0;
      }
    for (int32_t n = a.offsets[s]; n < a.offsets[s + 1]; ++n) {
      std::copy_backward(seen.begin(), seen.begin() + a.order - 1, seen.begin() + a.order);
      seen[0] = static_cast<uint64_t>(a.ids[n]) + 1;
      uint64_t hash = seen[0] * by_age[0];
      for (int64_t order = 2; order <= a.order; ++order) {
        hash += seen[static_cast<size_t>(order) - 1] * by_age[static_cast<size_t>(order) - 1];
        for (int64_t head = 0; head < a.heads; ++head) {
          const int64_t table = (order - 2) * a.heads + head;
          const uint64_t within = mixed(hash * factor(1, table)) >> (64 - a.log2_rows);
          *row++ = static_cast<int32_t>((table << a.log2_rows) + static_cast<int64_t>(within));
        }
      }
    }
    if (a.last)
      for (size_t j = 0; j < before; ++j) a.last[s][j] = static_cast<T>(seen[j]);
  }
}
}  // namespace

const NgramKernels<double> ngram_ref_f64{.rows = rows<double>};
const NgramKernels<float> ngram_ref_f32{.rows = rows<float>};

}  // namespace statera
