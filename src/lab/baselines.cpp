#include "lab/baselines.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/machine.hpp"
#include "lab/ngram.hpp"
#include "lab/ppmd/cost.hpp"
#include "lab/report/keys.hpp"
#include "lab/xz.hpp"
#include "text/quantity.hpp"

namespace statera {

namespace {
// Seconds per byte that is learned from or judged, rounded up from measurements on text: six orders of n-grams 0.3e-6,
// four orders of PPMd 1.3e-6 (sound: 3.4e-6), xz, which reads the text twice, 1.7e-6 (DNA: 3e-6).
// Counts of contexts are slower (docs/compression.md; counts_seconds_per_byte), so they get what time is left.
constexpr double seconds_per_byte = 0.5e-6 + 2e-6 + 2e-6;
// The window of xz. N-grams need about 30 times as much memory while they count so many bytes.
constexpr int64_t most_train = int64_t{64} << 20, most_held_out = int64_t{16} << 20;

struct TimeIsUp {};

void add_note(std::string& notes, const std::string& note) { notes += (notes.empty() ? "" : "; ") + note; }

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void read_counts(Counts& model, const ByteSource& source, const std::function<void()>& often,
                 const std::function<void(double bits)>& each) {
  int64_t done = 0;
  for (int64_t d = 0; d < source.documents(); ++d)
    for (const uint8_t byte : source.document(d)) {
      if (done++ % 16384 == 0) often();
      const CountsCost cost = model.code(byte);
      if (each) each(cost.all);
    }
}

// Counts that have read the last `bytes` of the training text.
Counts after_training(const ByteSource& train, int64_t bytes, bool copied, const std::function<void()>& often) {
  const CountsOptions options{.outside = 1};
  require_memory((copied ? 2 : 1) * static_cast<double>(options.memory_bytes), "counting contexts",
                 "close other programs, or leave the baselines out");
  Counts model(options);
  read_counts(model, train.part(train.bytes() - bytes, train.bytes()), often, {});
  return model;
}

class Rows {
 public:
  Rows(const ByteSource& train, const ByteSource& held_out, const BaselineOptions& options)
      : options_(options), begin_(now()), all_(train.bytes()) {
    const BaselineBytes bytes = baseline_bytes(train.bytes(), held_out.bytes(), options.seconds);
    train_.emplace(train.part(train.bytes() - bytes.train, train.bytes()));
    held_out_.emplace(held_out.part(0, bytes.held_out));
    counts_train_ = bytes.counts_train;
    if (bytes.held_out < held_out.bytes())
      add_note(notes_,
               "baselines are judged on the first " + bytes_text(static_cast<double>(bytes.held_out)) + " held out");
  }

  Baselines all() {
    try_row({"n-grams"}, [&] { ngrams(); });
    try_row({"PPMd", {}, true}, [&] { ppmd(); });
    try_row({"xz", {}, true}, [&] { xz(); });
    try_row({counts_row, {}, true}, [&] { counts(); });
    keep_nats_of_best();
    return {std::move(rows_), std::move(notes_)};
  }

 private:
  double now() const { return options_.clock ? options_.clock() : steady_seconds(); }
  std::function<void()> often() const {
    return [this] {
      if ((options_.stop && options_.stop()) || now() - begin_ > options_.stop_after) throw TimeIsUp();
    };
  }

  // Runs `body`, which adds rows. If the time is up before it ends, adds `unfinished` in their place.
  template <class Body>
  void try_row(Baseline unfinished, Body body) {
    try {
      often()();
      body();
    } catch (const TimeIsUp&) {
      rows_.push_back(std::move(unfinished));
    }
  }

  void ngrams() {
    NgramCost cost = ngram_cost(*train_, *held_out_, {.often = often()});
    for (size_t k = 0; k < cost.bits_per_byte.size(); ++k)
      rows_.push_back({order_name(k), cost.bits_per_byte[k], false, learned(train_->bytes()), {}});
    if (!cost.learning.empty()) {
      const auto best = static_cast<size_t>(cost.best_learning);
      rows_.push_back(
          {order_name(best) + ", learning", cost.learning[best], true, learned(train_->bytes()), std::move(cost.nats)});
    }
    if (!cost.note.empty()) add_note(notes_, cost.note);
  }
  static std::string order_name(size_t k) { return "n-gram order " + std::to_string(k); }

  void ppmd() {
    PpmdCost cost = ppmd_cost(*train_, *held_out_, {.often = often()});
    rows_.push_back({"PPMd order " + std::to_string(cost.order), cost.bits_per_byte, true, learned(cost.train_bytes),
                     std::move(cost.nats)});
  }

  void xz() { rows_.push_back({"xz", xz_cost(*train_, *held_out_, often()), true, learned(train_->bytes()), {}}); }

  // Those of `statera compress`. Given no time, the row is unfinished.
  void counts() {
    if (counts_train_ == 0) throw TimeIsUp();
    Counts model = after_training(*train_, counts_train_, options_.primed != nullptr, often());
    std::optional<Counts> primed;
    if (options_.primed) primed = model;
    Baseline row{counts_row, 0.0, true, learned(counts_train_), {}};
    read_counts(model, *held_out_, often(), [&](double bits) {
      *row.bits_per_byte += bits / static_cast<double>(held_out_->bytes());
      row.nats.push_back(static_cast<float>(bits * std::numbers::ln2));
    });
    rows_.push_back(std::move(row));
    if (primed) *options_.primed = std::move(primed);
  }

  std::string learned(int64_t bytes) const {
    return bytes == all_ ? "" : "last " + bytes_text(static_cast<double>(bytes));
  }

  void keep_nats_of_best() {
    const Baseline* best = nullptr;
    for (const Baseline& row : rows_)
      if (!row.nats.empty() && (!best || *row.bits_per_byte < *best->bits_per_byte)) best = &row;
    for (Baseline& row : rows_)
      if (&row != best) row.nats.clear();
  }

  const BaselineOptions& options_;
  double begin_;
  int64_t all_;  // number of training bytes
  int64_t counts_train_ = 0;
  std::optional<ByteSource> train_, held_out_;
  std::vector<Baseline> rows_;
  std::string notes_;
};
}  // namespace

std::string baselines_json(const Baselines& b) {
  using Json = nlohmann::ordered_json;
  Json rows = Json::array();
  std::string note = b.note;
  for (const Baseline& row : b.rows) {
    if (!row.bits_per_byte) {
      add_note(note, row.name + ": not finished in the time for baselines");
      continue;
    }
    Json json = {{key::name, row.name}, {key::bits_per_byte, *row.bits_per_byte}};
    if (row.learns) json[key::learns] = true;
    if (!row.learned.empty()) json[key::learned] = row.learned;
    rows.push_back(json);
  }
  return Json({{"rows", rows}, {"note", note}}).dump();
}

BaselineBytes baseline_bytes(int64_t train_bytes, int64_t held_out_bytes, double seconds) {
  const int64_t learned = std::min(train_bytes, most_train), judged = std::min(held_out_bytes, most_held_out);
  const auto fit = [](double time, double per_byte) {  // bytes
    return static_cast<int64_t>(std::min(std::floor(std::max(0.0, time) / per_byte), 1e18));
  };
  // Counts get at least half of the time, if they need it.
  const double for_counts = std::min(seconds / 2, counts_seconds_per_byte * static_cast<double>(learned + judged));
  const int64_t in_all = fit(seconds - for_counts, seconds_per_byte),
                counted = fit(for_counts, counts_seconds_per_byte);
  BaselineBytes bytes{.train = learned, .held_out = judged};
  if (learned + judged > in_all || 2 * judged > counted) {
    bytes.held_out = std::clamp<int64_t>(std::min(in_all / 4, counted / 2), 1, judged);
    bytes.train = std::clamp<int64_t>(in_all - bytes.held_out, 1, learned);
  }
  const double left = seconds - seconds_per_byte * static_cast<double>(bytes.train + bytes.held_out);
  bytes.counts_train = std::clamp<int64_t>(fit(left, counts_seconds_per_byte) - bytes.held_out, 0, bytes.train);
  return bytes;
}

double baseline_seconds(int64_t train_bytes, int64_t held_out_bytes, double seconds) {
  const BaselineBytes bytes = baseline_bytes(train_bytes, held_out_bytes, seconds);
  return seconds_per_byte * static_cast<double>(bytes.train + bytes.held_out) +
         (bytes.counts_train > 0 ? counts_seconds_per_byte * static_cast<double>(bytes.counts_train + bytes.held_out)
                                 : 0);
}

Counts primed_counts(const ByteSource& train, const ByteSource& held_out, double seconds,
                     const std::function<void()>& often) {
  const BaselineBytes bytes = baseline_bytes(train.bytes(), held_out.bytes(), seconds);
  return after_training(train, bytes.counts_train, true, often);
}

Baselines baselines(const ByteSource& train, const ByteSource& held_out, const BaselineOptions& options) {
  return Rows(train, held_out, options).all();
}

}  // namespace statera
