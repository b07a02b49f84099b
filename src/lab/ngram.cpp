#include "lab/ngram.hpp"

#include <algorithm>
#include <cmath>

#include "core/check.hpp"

namespace statera {

namespace {

// Strings of up to 7 bytes, packed into a key, with their counts. Open addressing, linear probing, at most two thirds full.
class Table {
 public:
  struct Entry {
    uint64_t key = 0;
    uint32_t count = 0, types = 0;  // count 0: a free place
  };
  explicit Table(int64_t max_bytes) : max_bytes_(max_bytes), entries_(1 << 12) {}

  // The entry of `key`, with `count` added. False if the table would grow beyond its limit.
  bool add(uint64_t key, uint32_t count) {
    if (used_ * 3 > entries_.size() * 2 && !grow()) return false;
    Entry& entry = entries_[place(key)];
    used_ += entry.count == 0;
    entry.key = key;
    entry.count += count;
    ++entry.types;
    return true;
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
    if (static_cast<int64_t>(3 * entries_.size() * sizeof(Entry)) > max_bytes_) return false;  // the old and the new one, twice its size
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

// Calls body(position, key, key of a position a little later) for the strings of k + 1 bytes of each document; stops when it gives false.
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
      if (i >= static_cast<size_t>(k) && !body(source.document_begin(d) + static_cast<int64_t>(i), key, later & mask)) return false;
    }
  }
  return true;
}

// Turns p[i] from p_{k-1} into p_k. False if the counts do not fit.
bool interpolate(const ByteSource& train, const ByteSource& held_out, int k, const NgramOptions& options, std::vector<double>& p) {
  Table strings(options.max_table_bytes), contexts(options.max_table_bytes);
  const bool counted = for_each_string(train, k, options.often, [&](int64_t, uint64_t key, uint64_t later) {
    strings.prefetch(later);
    return strings.add(key, 1);
  });
  if (!counted) return false;
  for (const Table::Entry& entry : strings.entries())
    if (entry.count != 0 && !contexts.add(entry.key >> 8, entry.count)) return false;
  return for_each_string(held_out, k, options.often, [&](int64_t i, uint64_t key, uint64_t later) {
    strings.prefetch(later);
    const Table::Entry& context = contexts.find(key >> 8);
    double& q = p[static_cast<size_t>(i)];
    if (context.count != 0) q = (strings.find(key).count + context.types * q) / (static_cast<double>(context.count) + context.types);
    return true;
  });
}

}  // namespace

NgramCost ngram_cost(const ByteSource& train, const ByteSource& held_out, const NgramOptions& options) {
  require(options.max_order >= 0 && options.max_order <= 6, ErrorCode::config, "[ngram] max_order is ", options.max_order,
          ": it must be 0 to 6");
  NgramCost result;
  const int64_t counted = std::min(train.bytes(), options.max_train_bytes);
  if (counted < train.bytes())
    result.note = "n-grams counted in the last " + std::to_string(counted) + " bytes of the text to train on only";
  const ByteSource text = train.part(train.bytes() - counted, train.bytes());
  std::vector<double> p(static_cast<size_t>(held_out.bytes()), 1.0 / 256);  // [held out]
  for (int k = 0; k <= options.max_order; ++k) {
    if (!interpolate(text, held_out, k, options, p)) {
      if (!result.note.empty()) result.note += "; ";
      result.note += "order " + std::to_string(k) + " and above skipped: their counts need more than " +
                     std::to_string(options.max_table_bytes >> 20) + " MB";
      break;
    }
    double bits = 0;
    for (double q : p) bits -= std::log2(q);
    result.bits_per_byte.push_back(bits / static_cast<double>(p.size()));
  }
  return result;
}

}  // namespace statera
