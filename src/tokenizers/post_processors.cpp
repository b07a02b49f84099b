#include "tokenizers/post_processors.hpp"

#include <algorithm>
#include <utility>

#include "core/check.hpp"

namespace statera::tokenizers {

namespace {

void set_types(Encoded& part, int32_t type_id) { part.type_ids.assign(part.ids.size(), type_id); }

void insert(Encoded& part, size_t at, int32_t id, int32_t type_id) {
  part.ids.insert(part.ids.begin() + static_cast<ptrdiff_t>(at), id);
  part.type_ids.insert(part.type_ids.begin() + static_cast<ptrdiff_t>(at), type_id);
}

class Template : public PostProcessor {
 public:
  Template(std::vector<TemplatePiece> single, std::vector<TemplatePiece> pair)
      : templates_{std::move(single), std::move(pair)} {}

  void process(std::vector<Encoded>& parts, bool specials) const override {
    require(parts.size() == 1 || parts.size() == 2, ErrorCode::unsupported,
            "tokenizer: a TemplateProcessing after another one gets ", parts.size(), " texts; expected one or two");
    std::vector<Encoded> all;
    for (const TemplatePiece& piece : templates_[parts.size() - 1]) {
      if (piece.text >= 0) {
        require(piece.text < static_cast<int>(parts.size()), ErrorCode::config,
                "tokenizer: the template for a single text asks for a second one");
        Encoded& part = parts[static_cast<size_t>(piece.text)];
        set_types(part, piece.type_id);
        all.push_back(part);
      } else if (specials) {
        set_types(all.emplace_back(Encoded{piece.ids, {}}), piece.type_id);
      }
    }
    parts = std::move(all);
  }
  int64_t added(bool pair) const override {
    int64_t count = 0;
    for (const TemplatePiece& piece : templates_[pair]) count += static_cast<int64_t>(piece.ids.size());
    return count;
  }

 private:
  std::vector<TemplatePiece> templates_[2];  // for one text, for a pair
};

// [CLS] A [SEP], and B [SEP] of type 1 after it.
class Bert : public PostProcessor {
 public:
  Bert(int32_t cls, int32_t sep) : cls_(cls), sep_(sep) {}
  void process(std::vector<Encoded>& parts, bool specials) const override {
    for (size_t i = 0; i < parts.size() && specials; ++i) {
      if (i == 0) insert(parts[i], 0, cls_, 0);
      insert(parts[i], parts[i].ids.size(), sep_, i == 0 ? 0 : 1);
    }
  }
  int64_t added(bool pair) const override { return pair ? 3 : 2; }

 private:
  int32_t cls_, sep_;
};

// <s> A </s>, and </s> B </s> after it; all of type 0.
class Roberta : public PostProcessor {
 public:
  Roberta(int32_t cls, int32_t sep) : cls_(cls), sep_(sep) {}
  void process(std::vector<Encoded>& parts, bool specials) const override {
    for (size_t i = 0; i < parts.size(); ++i) {
      set_types(parts[i], 0);
      if (!specials) continue;
      insert(parts[i], 0, i == 0 ? cls_ : sep_, 0);
      insert(parts[i], parts[i].ids.size(), sep_, 0);
    }
  }
  int64_t added(bool pair) const override { return pair ? 4 : 2; }

 private:
  int32_t cls_, sep_;
};

class Several : public PostProcessor {
 public:
  explicit Several(Parts<PostProcessor> all) : all_(std::move(all)) {}
  void process(std::vector<Encoded>& parts, bool specials) const override {
    for (const auto& one : all_) one->process(parts, specials);
  }
  int64_t added(bool pair) const override {
    int64_t count = 0;
    for (const auto& one : all_) count += one->added(pair);
    return count;
  }

 private:
  Parts<PostProcessor> all_;
};

void shorten(Encoded& part, int64_t to, const Truncation& truncation) {
  const auto size = static_cast<int64_t>(part.ids.size());
  if (to >= size) return;
  require(to == 0 || truncation.stride < to, ErrorCode::config, "tokenizer: its truncation leaves ", to,
          " tokens, but its stride is ", truncation.stride, "; expected a smaller stride");
  const auto cut = [&](std::vector<int32_t>& row) {
    if (truncation.direction == Side::right)
      row.resize(static_cast<size_t>(to));
    else
      row.erase(row.begin(), row.end() - to);
  };
  cut(part.ids);
  cut(part.type_ids);
}

}  // namespace

std::unique_ptr<PostProcessor> template_processing(std::vector<TemplatePiece> single, std::vector<TemplatePiece> pair) {
  return std::make_unique<Template>(std::move(single), std::move(pair));
}
std::unique_ptr<PostProcessor> bert_processing(int32_t cls, int32_t sep) { return std::make_unique<Bert>(cls, sep); }
std::unique_ptr<PostProcessor> roberta_processing(int32_t cls, int32_t sep) {
  return std::make_unique<Roberta>(cls, sep);
}
std::unique_ptr<PostProcessor> post_processors(Parts<PostProcessor> all) {
  return std::make_unique<Several>(std::move(all));
}

void truncate(std::vector<Encoded>& parts, const Truncation& truncation, int64_t most) {
  using Strategy = Truncation::Strategy;
  const auto size = [&](size_t i) { return static_cast<int64_t>(parts[i].ids.size()); };
  const int64_t total = parts.size() == 1 ? size(0) : size(0) + size(1);
  if (total <= most) return;
  if (most == 0) {
    for (Encoded& part : parts) shorten(part, 0, truncation);
  } else if (truncation.strategy != Strategy::longest_first) {
    const size_t target = truncation.strategy == Strategy::only_first ? 0 : 1;
    require(target < parts.size(), ErrorCode::config,
            "tokenizer: its truncation shortens the second text only, and there is none");
    const int64_t left = size(target) - (total - most);
    require(left > 0, ErrorCode::config, "tokenizer: its truncation to ", truncation.max_length,
            " tokens shortens one text only, and that has ", size(target), " of ", total, "; give shorter texts");
    shorten(parts[target], left, truncation);
  } else if (parts.size() == 1) {
    shorten(parts[0], most, truncation);
  } else {
    const bool swapped = size(0) > size(1);
    int64_t shorter = std::min(size(0), size(1));
    int64_t longer = shorter > most ? shorter : std::max(shorter, most - shorter);
    if (shorter + longer > most) {
      shorter = most / 2;
      longer = shorter + most % 2;
    }
    shorten(parts[0], swapped ? longer : shorter, truncation);
    shorten(parts[1], swapped ? shorter : longer, truncation);
  }
}

void pad(Encoded& row, const Padding& padding) {
  auto size = static_cast<int64_t>(row.ids.size()), to = padding.fixed >= 0 ? padding.fixed : size;
  if (padding.multiple_of > 0 && to % padding.multiple_of > 0) to += padding.multiple_of - to % padding.multiple_of;
  if (size >= to) return;
  const auto fill = [&](std::vector<int32_t>& ids, int32_t with) {
    const auto at = padding.direction == Side::left ? ids.begin() : ids.end();
    ids.insert(at, static_cast<size_t>(to - size), with);
  };
  fill(row.ids, padding.id);
  fill(row.type_ids, padding.type_id);
}

}  // namespace statera::tokenizers
