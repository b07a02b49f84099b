#include "statera/online.hpp"

#include <algorithm>
#include <cmath>

#include "core/check.hpp"
#include "core/exec.hpp"
#include "core/machine.hpp"
#include "io/printable.hpp"
#include "kernels/view_kernels.hpp"
#include "statera/random.hpp"
#include "statera/tape.hpp"
#include "statera/train.hpp"

namespace statera {

namespace {
OnlineOptions checked(OnlineOptions o, const Model& model) {
  const auto within = [](const char* name, auto value, auto low, auto high) {
    require(value >= low && value <= high, ErrorCode::config, "[online] ", name, " is ", value, "; expected ", low,
            " to ", high);
  };
  if (o.window == 0) o.window = model.config().context > 0 ? model.config().context : 512;
  constexpr int64_t most = int64_t{1} << 30;
  within("lr", o.lr, 0.0, 1e6), within("pull", o.pull, 0.0, 1.0);
  for (const auto& [name, value, low, high] : {std::tuple("segment", o.segment, int64_t{1}, most),
                                               {"window", o.window, 1, most},
                                               {"replay", o.replay, 0, 1024},
                                               {"warmup", o.warmup, 0, most},
                                               {"seed", o.seed, 0, INT64_MAX}})
    within(name, value, low, high);
  require(o.keep_bytes >= static_cast<int64_t>(sizeof(int32_t)) * (o.window + o.segment + 2), ErrorCode::config,
          "[online] keep_bytes ", o.keep_bytes, " does not hold a window and a segment of 4 bytes per id; give more");
  require(model.config().begin, ErrorCode::config,
          "[online] the model has no id for the beginning of a text (\"begin\" in its config)");
  return o;
}

// The words between commas, without spaces around them.
std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin <= list.size() && !list.empty();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string word = list.substr(begin, end - begin);
    const size_t first = word.find_first_not_of(' '), last = word.find_last_not_of(' ');
    words.push_back(first == std::string::npos ? "" : word.substr(first, last - first + 1));
    begin = end + 1;
  }
  return words;
}

bool holds(const Parameter* p, const std::string& word) { return p->name.find(word) != std::string::npos; }

// Those whose name holds one of the words, or the others. Without words every name does.
std::vector<Parameter*> parameters_of(const Model& model, const std::string& list, bool named) {
  std::vector<Parameter*> all = model.parameters();
  const std::vector<std::string> words = words_of(list);
  for (const std::string& word : words)
    require(!word.empty() && std::ranges::any_of(all, [&](const Parameter* p) { return holds(p, word); }),
            ErrorCode::config, "[online] parameters: no parameter's name holds ", in_quotes(word),
            "; statera info MODEL --tensors prints the names");
  std::erase_if(all, [&](const Parameter* p) {
    return (words.empty() || std::ranges::any_of(words, [&](const std::string& w) { return holds(p, w); })) != named;
  });
  return all;
}
}  // namespace

void OnlineOptions::visit(FieldVisitor& v) {
  v.field("lr", lr, "learning rate of the steps while reading");
  v.field("segment", segment, "ids that are read between two training steps");
  v.field("window", window, "ids, the last ones read, that a training step learns from");
  v.field("replay", replay, "further windows of earlier text that each training step learns from");
  v.field("warmup", warmup, "steps over which the learning rate rises");
  v.field("pull", pull, "share of the way back to the trained weights per step");
  v.field("keep_bytes", keep_bytes, "most memory for earlier text");
  v.field("seed", seed, "seed of the places of earlier windows");
  v.field("parameters", parameters, "words of the names of the parameters that learn; empty: all learn");
}

OnlineModel::OnlineModel(Model model, const OnlineOptions& options)
    : model_(std::move(model)),
      options_(checked(options, model_)),
      parameters_(parameters_of(model_, options_.parameters, true)),
      fixed_(parameters_of(model_, options_.parameters, false)),
      optimizer_(parameters_,
                 {.lr = options_.lr > 0 ? static_cast<float>(options_.lr) : 1.0f, .weight_decay = 0, .clip = 1},
                 model_.device()),
      session_(model_, {.rewind_bytes = 0}),
      tape_(std::make_unique<Tape>(model_.device())) {
  const int32_t begin = static_cast<int32_t>(model_.config().vocab_size);
  text_.push_back(begin);
  trained_fingerprint_ = model_.fingerprint();
  double bytes = 0;
  for (const Parameter* p : parameters_) bytes += static_cast<double>(p->value.view().bytes());
  require_memory(bytes, "The weights as they were trained", "take a smaller model");
  for (const Parameter* p : parameters_) {
    trained_.emplace_back(p->value.dtype(), p->shape);
    copy(p->value, trained_.back());
  }
}

void OnlineModel::next_document() {
  const FlushDenormals flush(pool_of(model_.device()));
  if (unlearned_ > 0) learn();
  session_.reset();
  document_ = text_.size();
  text_.push_back(static_cast<int32_t>(model_.config().vocab_size));
  unlearned_ = 0;
}

std::vector<float> OnlineModel::score(std::span<const int32_t> ids, const Session::Predicted& each) {
  const FlushDenormals flush(pool_of(model_.device()));
  std::vector<float> costs;
  costs.reserve(ids.size());
  while (costs.size() < ids.size()) {
    const size_t done = costs.size(),
                 n = std::min(ids.size() - done, static_cast<size_t>(options_.segment - unlearned_));
    const auto piece = ids.subspan(done, n);
    const std::vector<float> some =
        each ? session_.score(piece, [&](size_t i, std::span<const float> logits) { each(done + i, logits); })
             : session_.score(piece);
    costs.insert(costs.end(), some.begin(), some.end());
    text_.insert(text_.end(), piece.begin(), piece.end());
    unlearned_ += static_cast<int64_t>(n);
    if (unlearned_ == options_.segment) learn();
  }
  return costs;
}

std::span<const float> OnlineModel::next() {
  const FlushDenormals flush(pool_of(model_.device()));
  const std::span<const float> known = session_.logits();
  return known.empty() ? session_.prefill(std::span<const int32_t>()) : known;
}

void OnlineModel::read(int32_t id) {
  const FlushDenormals flush(pool_of(model_.device()));
  session_.step(id);
  text_.push_back(id);
  if (++unlearned_ == options_.segment) learn();
}

// text_[from] is read, text_[from + 1 .. to) is predicted; a document within begins a sequence of its own, as in
// training.
void OnlineModel::add_window(size_t from, size_t to) {
  const int32_t begin = static_cast<int32_t>(model_.config().vocab_size);
  const auto end_sequence = [&] {
    if (static_cast<int32_t>(inputs_.ids.size()) == inputs_.offsets.back()) return;
    inputs_.offsets.push_back(static_cast<int32_t>(inputs_.ids.size()));
    inputs_.start.push_back(0);
  };
  for (size_t i = from; i + 1 < to; ++i) {
    if (text_[i + 1] == begin) {
      end_sequence();
      continue;
    }
    inputs_.ids.push_back(text_[i]);
    targets_.push_back(text_[i + 1]);
  }
  end_sequence();
}

// Forgets the older half of the text when it is too long.
void OnlineModel::trim() {
  if (text_.size() * sizeof(int32_t) <= static_cast<size_t>(options_.keep_bytes)) return;
  const auto least = static_cast<size_t>(options_.window + options_.segment + 1);
  const size_t drop = std::min(text_.size() / 2, text_.size() - std::min(text_.size(), least));
  text_.erase(text_.begin(), text_.begin() + static_cast<ptrdiff_t>(drop));
  document_ -= std::min(document_, drop);
}

void OnlineModel::learn() {
  unlearned_ = 0;
  trim();
  if (options_.lr == 0) return;
  inputs_ = {.ids = {}, .offsets = {0}, .start = {}};
  targets_.clear();
  const auto window = static_cast<size_t>(options_.window);
  const size_t end = text_.size(), newest = std::max(document_, end - std::min(end, window + 1));
  add_window(newest, end);
  if (targets_.empty()) return;
  const Random places(static_cast<uint64_t>(options_.seed), "replay");
  for (int64_t i = 0; i < options_.replay && newest > 0; ++i) {
    const auto at = places.uniform(static_cast<uint64_t>(optimizer_.steps() * options_.replay + i));
    const auto from = static_cast<size_t>(at * static_cast<double>(newest));
    add_window(from, std::min(from + window + 1, end));
  }
  training_pass(model_, *tape_, inputs_, targets_);
  for (Parameter* p : fixed_) zero_grad(*p);
  optimizer_.step(
      std::min(1.0, static_cast<double>(optimizer_.steps() + 1) / static_cast<double>(options_.warmup + 1)));
  if (options_.pull > 0)
    for (size_t p = 0; p < parameters_.size(); ++p) {
      move_towards(parameters_[p]->value, trained_[p], options_.pull);
      parameters_[p]->changed();
    }
}

double OnlineModel::drift() const {
  double moved = 0, all = 0;
  for (size_t p = 0; p < parameters_.size(); ++p) {
    moved += squared_distance(parameters_[p]->value, trained_[p]);
    all += squared_norm(trained_[p]);
  }
  return all > 0 ? std::sqrt(moved / all) : 0;
}

}  // namespace statera
