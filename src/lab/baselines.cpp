#include "lab/baselines.hpp"

#include "lab/ngram.hpp"
#include "lab/xz.hpp"

namespace statera {

namespace {
constexpr int64_t most_bytes = int64_t{32} << 20;
}

Baselines baselines(const ByteSource& train, const ByteSource& held_out, const std::function<void()>& often) {
  if (train.bytes() > most_bytes)
    return {{}, "n-gram models and xz are left out: there are more than " + std::to_string(most_bytes >> 20) + " MiB to learn from"};
  Baselines b;
  const NgramCost ngrams = ngram_cost(train, held_out, {.often = often});
  for (size_t k = 0; k < ngrams.bits_per_byte.size(); ++k) b.rows.push_back({"n-gram order " + std::to_string(k), ngrams.bits_per_byte[k]});
  const XzCost xz = xz_cost(train, held_out, {.often = often});
  b.rows.push_back({"xz", xz.bits_per_byte});
  b.note = ngrams.note + (ngrams.note.empty() || xz.note.empty() ? "" : "; ") + xz.note;
  return b;
}

double baseline_seconds(int64_t train_bytes, int64_t held_out_bytes) {
  constexpr double seconds_per_byte = 2e-6;  // xz reads the text twice, each order of the n-grams once
  return train_bytes > most_bytes ? 0 : seconds_per_byte * static_cast<double>(train_bytes + held_out_bytes);
}

}  // namespace statera
