// A tokenizer as the units of a model.
#include <algorithm>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "statera/tokenizer.hpp"

namespace statera {

namespace {

// What single ids add to a text, if that does not depend on the others. Most decoders treat the first id alone
// otherwise: they leave out the space before it.
class ByteTable {
 public:
  explicit ByteTable(const Tokenizer& tokenizer) {
    std::vector<int32_t> pair;
    std::string before;
    try {
      pair = tokenizer.encode("a", {.specials = false, .plain = true, .limits = false}).ids;
      before = tokenizer.decode_bytes(pair);
    } catch (const Error&) {  // a tokenizer without this letter: TokenStream has to do
    }
    if (before.empty()) return;
    added_.resize(static_cast<size_t>(tokenizer.vocabulary_size()));
    pair.push_back(0);
    for (size_t id = 0; id < added_.size(); ++id) try {
        pair.back() = static_cast<int32_t>(id);
        const std::string both = tokenizer.decode_bytes(pair);
        if (both.starts_with(before)) added_[id] = both.substr(before.size());
      } catch (const Error&) {  // an id that is no token
      }
  }

  // The lengths of what the ids add; empty if they are not found in this way.
  std::vector<int32_t> lengths(const Tokenizer& tokenizer, std::span<const int32_t> ids, std::string_view text) const {
    if (added_.empty()) return {};
    std::vector<int32_t> all;
    all.reserve(ids.size());
    size_t at = 0;
    std::string first;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (i == 0) first = tokenizer.decode_bytes(ids.first(1));
      const std::string& bytes = i == 0 ? first : added_[static_cast<size_t>(ids[i])];
      if (text.substr(at, bytes.size()) != bytes) return {};
      all.push_back(static_cast<int32_t>(bytes.size()));
      at += bytes.size();
    }
    return at == text.size() ? all : std::vector<int32_t>();
  }

 private:
  std::vector<std::string> added_;  // by id
};

class TokenReader : public UnitReader {
 public:
  explicit TokenReader(const Tokenizer& tokenizer) : stream_(tokenizer, false) {}
  std::string push(int32_t id) override { return stream_.push_bytes(id); }

 private:
  TokenStream stream_;
};

class TokenUnits : public Units {
 public:
  TokenUnits(Tokenizer tokenizer, std::string file, bool specials)
      : tokenizer_(std::move(tokenizer)), table_(tokenizer_), file_(std::move(file)), plain_(!specials) {
    if (specials) return;
    for (int32_t id = 0; id < tokenizer_.vocabulary_size(); ++id) specials_.push_back(tokenizer_.is_special(id));
  }

  std::string name() const override { return tokenizer_.name(); }
  int64_t size() const override { return tokenizer_.vocabulary_size(); }
  std::unique_ptr<UnitReader> reader() const override { return std::make_unique<TokenReader>(tokenizer_); }
  bool ends_text(int32_t id) const override { return tokenizer_.is_special(id); }
  const std::string& file() const override { return file_; }

  bool takes_any_bytes() const override { return tokenizer_.takes_any_bytes(); }
  std::vector<int32_t> ids(std::string_view text) const override {
    // what a model reads is all of a text and no more
    std::vector<int32_t> all = tokenizer_.encode(text, {.specials = false, .plain = plain_, .limits = false}).ids;
    if (plain_) check_plain(all);
    return all;
  }
  UnitIds encode(std::string_view text) const override {
    UnitIds all{.ids = ids(text), .bytes = {}};
    all.bytes = table_.lengths(tokenizer_, all.ids, text);
    if (all.bytes.size() != all.ids.size()) all.bytes = one_by_one(all.ids, text);
    return all;
  }

 private:
  // What is left are tokens for unknown text.
  void check_plain(std::span<const int32_t> ids) const {
    const auto special = std::ranges::find_if(ids, [&](int32_t id) { return specials_[static_cast<size_t>(id)]; });
    require(special == ids.end(), ErrorCode::config, tokenizer_.name(),
            ": a part of the text became the special token ",
            in_quotes(tokenizer_.token_of(special == ids.end() ? 0 : *special).value_or("")),
            ", since no other token stands for it; take a tokenizer that has tokens for all of the text, such as one "
            "that statera tokenize train makes");
  }
  std::vector<int32_t> one_by_one(std::span<const int32_t> ids, std::string_view text) const {
    TokenStream stream(tokenizer_, false);
    std::vector<int32_t> lengths;
    size_t at = 0;
    const auto same = [&](bool holds) {
      require(
          holds, ErrorCode::config, tokenizer_.name(), ": its tokens do not give back the text at byte ", at,
          ", so that costs per byte would be those of another text; take a tokenizer that keeps every byte, such as "
          "one that statera tokenize train makes");
    };
    for (const int32_t id : ids) {
      const std::string bytes = stream.push_bytes(id);
      same(text.substr(std::min(at, text.size()), bytes.size()) == bytes);
      lengths.push_back(static_cast<int32_t>(bytes.size()));
      at += bytes.size();
    }
    same(at == text.size());
    return lengths;
  }

  Tokenizer tokenizer_;
  ByteTable table_;
  std::string file_;
  bool plain_;
  std::vector<bool> specials_;  // by id; empty where they may come out of a text
};

std::shared_ptr<const Units> units_of(std::string file, const std::string& where, bool specials) {
  const size_t begin = file.find_first_not_of(" \t\r\n");
  require(begin != file.npos && file[begin] == '{', ErrorCode::unsupported, where,
          ": a model can carry a tokenizer.json only; expected one");
  Tokenizer tokenizer = Tokenizer::parse(file, where);
  return std::make_shared<TokenUnits>(std::move(tokenizer), std::move(file), specials);
}
}  // namespace

std::shared_ptr<const Units> token_units(std::string file, const std::string& where) {
  return units_of(std::move(file), where, false);
}

std::shared_ptr<const Units> token_units_with_specials(std::string file, const std::string& where) {
  return units_of(std::move(file), where, true);
}

}  // namespace statera
