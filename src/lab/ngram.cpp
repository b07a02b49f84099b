#include "lab/ngram.hpp"

#include <algorithm>
#include <cmath>

#include "core/check.hpp"

namespace statera {

namespace {

// A table from strings of up to 7 bytes, packed into keys, to their counts. Open addressing with linear probing, filled
// to at most two thirds.
class Table {
 public:
  struct Entry {
    uint64_t key = 0;
    uint32_t count = 0, types = 0;  // count 0: a free slot
  };
  explicit Table(int64_t max_bytes) : max_bytes_(max_bytes), entries_(1 << 12) {}

  // The entry of `key`; a new one has count 0, and the caller increments it. Null if the table would grow beyond its
  // limit. Valid until the next call.
  Entry* entry(uint64_t key) {
    if (used_ * 3 > entries_.size() * 2 && !grow()) return nullptr;
    Entry& entry = entries_[place(key)];
    used_ += entry.count == 0;
    entry.key = key;
    return &entry;
  }
  const Entry& find(uint64_t key) const { return entries_[place(key)]; }
  void prefetch(uint64_t key) const { __builtin_prefetch(&entries_[slot(key)]); }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  size_t slot(uint64_t key) const { return (key * 0x9E3779B97F4A7C15) >> 20 & (entries_.size() - 1); }
  size_t place(uint64_t key) const {
    size_t i = slot(key);
    while (entries_[i].count != 0 && entries_[i].key != key) i = (i + 1) & (entries_.size() - 1);
    return i;
  }
  bool grow() {
    // the old table and the new one, which is twice as large
    if (static_cast<int64_t>(3 * entries_.size() * sizeof(Entry)) > max_bytes_) return false;
    std::vector<Entry> old(2 * entries_.size());
    old.swap(entries_);
    for (const Entry& entry : old)
      if (entry.count != 0) entries_[place(entry.key)] = entry;
    return true;
  }

  int64_t max_bytes_;
  size_t used_ = 0;
  std::vector<Entry> entries_;
};

// Calls body(position, key, key of a later position) for the strings of k + 1 bytes of each document, until it returns
// false.
template <class Body>
bool for_each_string(const ByteSource& source, int k, const std::function<void()>& often, Body body) {
  constexpr size_t ahead = 12, pause = size_t{1} << 20;
  const uint64_t mask = (uint64_t{1} << 8 * (k + 1)) - 1;
  for (int64_t d = 0; d < source.documents(); ++d) {
    const std::span<const uint8_t> text = source.document(d);
    uint64_t key = 0, later = 0;
    for (size_t i = 0; i < std::min(ahead, text.size()); ++i) later = later << 8 | text[i];
    for (size_t i = 0; i < text.size(); ++i) {
      if (often && i % pause == 0) often();
      key = (key << 8 | text[i]) & mask;
      if (i + ahead < text.size()) later = later << 8 | text[i + ahead];
      if (i >= static_cast<size_t>(k) && !body(source.document_begin(d) + static_cast<int64_t>(i), key, later & mask))
        return false;
    }
  }
  return true;
}

// Counts what followed each context.
class Counts {
 public:
  explicit Counts(int64_t max_bytes) : strings_(max_bytes), contexts_(max_bytes) {}

  // Returns false if the counts do not fit.
  bool add(uint64_t key) {
    Table::Entry *string = strings_.entry(key), *context = contexts_.entry(key >> 8);
    if (!string || !context) return false;
    context->types += string->count++ == 0;
    ++context->count;
    return true;
  }
  double probability(uint64_t key, double shorter) const {
    const Table::Entry& context = contexts_.find(key >> 8);
    if (context.count == 0) return shorter;
    return (strings_.find(key).count + context.types * shorter) / (static_cast<double>(context.count) + context.types);
  }
  void prefetch(uint64_t key) const { strings_.prefetch(key); }

 private:
  Table strings_, contexts_;
};

struct Probabilities {
  std::vector<double> frozen, learning;  // [held out]
};

// Turns the results of order k - 1 into those of order k. Returns false if the counts do not fit; the results are then
// undefined.
bool interpolate(const ByteSource& train, const ByteSource& held_out, int k, const NgramOptions& options,
                 Probabilities& p) {
  Counts counts(options.max_table_bytes);
  const auto count = [&](int64_t, uint64_t key, uint64_t later) {
    counts.prefetch(later);
    return counts.add(key);
  };
  if (!for_each_string(train, k, options.often, count)) return false;
  const auto predict = [&](std::vector<double>& q, int64_t i, uint64_t key) {
    double& at = q[static_cast<size_t>(i)];
    at = counts.probability(key, at);
  };
  for_each_string(held_out, k, options.often, [&](int64_t i, uint64_t key, uint64_t later) {
    counts.prefetch(later);
    predict(p.frozen, i, key);
    return true;
  });
  return for_each_string(held_out, k, options.often, [&](int64_t i, uint64_t key, uint64_t later) {
    counts.prefetch(later);
    predict(p.learning, i, key);
    return counts.add(key);
  });
}

double bits_per_byte(const std::vector<double>& p) {
  double bits = 0;
  for (double q : p) bits -= std::log2(q);
  return bits / static_cast<double>(p.size());
}

}  // namespace

NgramCost ngram_cost(const ByteSource& train, const ByteSource& held_out, const NgramOptions& options) {
  require(options.max_order >= 0 && options.max_order <= 6, ErrorCode::config, "[ngram] max_order is ",
          options.max_order, ": it must be 0 to 6");
  NgramCost result;
  const std::vector<double> even(static_cast<size_t>(held_out.bytes()), 1.0 / 256);
  Probabilities p{even, even};
  for (int k = 0; k <= options.max_order; ++k) {
    if (!interpolate(train, held_out, k, options, p)) {
      result.note = "n-grams of order " + std::to_string(k) + " and above skipped: their counts need more than " +
                    std::to_string(options.max_table_bytes >> 20) + " MB";
      break;
    }
    result.bits_per_byte.push_back(bits_per_byte(p.frozen));
    result.learning.push_back(bits_per_byte(p.learning));
    if (k > 0 && result.learning.back() >= result.learning[static_cast<size_t>(result.best_learning)]) continue;
    result.best_learning = k;
    result.nats.resize(p.learning.size());
    std::transform(p.learning.begin(), p.learning.end(), result.nats.begin(),
                   [](double q) { return static_cast<float>(-std::log(q)); });
  }
  return result;
}

}  // namespace statera
