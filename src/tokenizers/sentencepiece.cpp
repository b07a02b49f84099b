#include "tokenizers/sentencepiece.hpp"

#include <algorithm>
#include <array>
#include <cfloat>
#include <limits>
#include <queue>
#include <unordered_map>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/best_cuts.hpp"
#include "tokenizers/decoders.hpp"

namespace statera::tokenizers {

namespace {

using Type = SentencePiece::Type;
using Kind = SentencePieceSpec::Kind;
constexpr std::string_view space_symbol = "\xE2\x96\x81";

ByteTrie trie_of(const std::vector<SentencePiece>& pieces, bool (*wanted)(Type)) {
  std::vector<std::pair<std::string_view, int32_t>> strings;
  for (size_t id = 0; id < pieces.size(); ++id)
    if (wanted(pieces[id].type)) strings.emplace_back(pieces[id].text, static_cast<int32_t>(id));
  return ByteTrie(std::move(strings));
}

// Pieces that a text may be cut into.
bool is_found(Type type) { return type == Type::normal || type == Type::user_defined || type == Type::unused; }
bool is_user_defined(Type type) { return type == Type::user_defined; }

class SpNormalizer : public Normalizer {
 public:
  explicit SpNormalizer(const SentencePieceSpec& spec)
      : user_defined_(trie_of(spec.pieces, is_user_defined)),
        map_(spec.charsmap),
        space_(spec.escape_whitespaces ? space_symbol : " "),
        escapes_(spec.escape_whitespaces),
        removes_(spec.remove_extra_whitespaces),
        prefix_(spec.add_dummy_prefix && !spec.treat_whitespace_as_suffix),
        suffix_(spec.add_dummy_prefix && spec.treat_whitespace_as_suffix) {}

  void normalize(Text& text) const override {
    std::string_view rest = text.bytes;
    Step step{};
    while (removes_ && !rest.empty() && (step = first(rest), step.by == " ")) rest.remove_prefix(step.size);
    std::string out;
    if (!rest.empty()) {
      if (prefix_) out += space_;
      write(rest, out);
    }
    text = {std::move(out), 0};
  }

 private:
  struct Step {
    size_t size;          // of what is read
    std::string_view by;  // what is written
  };
  // What the text begins with.
  Step first(std::string_view text) const {
    if (const auto found = user_defined_.longest(text); found.size > 0) return {found.size, text.substr(0, found.size)};
    if (const auto found = map_.longest(text)) return {found->size, found->by};
    const Character c = character_at(text, 0);
    return {c.size, c.code == broken ? replacement_character : text.substr(0, c.size)};
  }

  void write(std::string_view rest, std::string& out) const {
    for (bool after_space = removes_; !rest.empty();) {
      const Step step = first(rest);
      std::string_view by = step.by;
      while (after_space && by.starts_with(' ')) by.remove_prefix(1);
      for (const char byte : by)
        if (byte == ' ' && escapes_)
          out += space_symbol;
        else
          out += byte;
      if (!by.empty()) after_space = by.ends_with(' ');
      after_space = after_space && removes_;
      rest.remove_prefix(step.size);
    }
    while (removes_ && out.ends_with(space_)) out.resize(out.size() - space_.size());
    if (suffix_) out += space_;
  }

  ByteTrie user_defined_;
  Charsmap map_;
  std::string space_;
  bool escapes_, removes_, prefix_, suffix_;
};

class SpModel : public TokenModel {
 public:
  SpModel(SentencePieceSpec spec, std::string where) : spec_(std::move(spec)), where_(std::move(where)) {
    byte_ids_.fill(-1);
    for (size_t i = 0; i < spec_.pieces.size(); ++i) add(static_cast<int32_t>(i));
    require(unknown_ >= 0, ErrorCode::config, where_, ": no piece is for unknown characters");
    require(!spec_.byte_fallback || std::ranges::min(byte_ids_) >= 0, ErrorCode::config, where_,
            ": byte_fallback needs 256 byte pieces, <0x00> to <0xFF>");
    user_defined_ = trie_of(spec_.pieces, is_user_defined);
    if (spec_.kind == Kind::unigram) trie_ = trie_of(spec_.pieces, is_found);
  }

  // No control piece is found in a text, plain or not, though it be a word or a letter; so it is in the library.
  void encode(std::string_view piece, bool /*plain*/, std::vector<int32_t>& ids) const override {
    if (piece.empty()) return;
    std::vector<std::string_view> parts;
    switch (spec_.kind) {
      case Kind::unigram:
        return encode_unigram(piece, ids);
      case Kind::bpe:
        cut_by_scores(piece, parts);
        break;
      case Kind::word:
        cut_words(piece, parts);
        break;
      case Kind::character:
        for (size_t at = 0; at < piece.size(); at += parts.back().size())
          parts.push_back(piece.substr(at, symbol_size(piece.substr(at)).size));
    }
    bool after_unknown = false;
    for (const std::string_view part : parts) put(part, id_or_unknown(part), after_unknown, ids);
  }

  std::optional<int32_t> id_of(std::string_view token) const override {
    for (const auto* map : {&reserved_, &found_})
      if (const auto found = map->find(token); found != map->end()) return found->second;
    return std::nullopt;
  }
  std::optional<std::string_view> token_of(int32_t id) const override {
    if (id < 0 || id > highest_id()) return std::nullopt;
    return spec_.pieces[static_cast<size_t>(id)].text;
  }
  std::optional<std::string_view> shown(int32_t id) const override {
    const auto token = token_of(id);
    if (!token) return token;
    const Type type = spec_.pieces[static_cast<size_t>(id)].type;
    return type == Type::control ? "" : type == Type::unknown ? std::string_view(spec_.unk_surface) : *token;
  }
  int64_t size() const override { return static_cast<int64_t>(spec_.pieces.size()); }
  int32_t highest_id() const override { return static_cast<int32_t>(spec_.pieces.size()) - 1; }

 private:
  struct Symbol {
    size_t size;
    bool frozen;  // user-defined: it is never merged
  };

  void add(int32_t id) {
    const SentencePiece& piece = spec_.pieces[static_cast<size_t>(id)];
    require(!piece.text.empty(), ErrorCode::config, where_, ": piece ", id, " is empty");
    auto& map = is_found(piece.type) ? found_ : reserved_;
    require(map.emplace(piece.text, id).second, ErrorCode::config, where_, ": the piece ", in_quotes(piece.text),
            " occurs twice");
    if (piece.type == Type::unknown) {
      require(unknown_ < 0, ErrorCode::config, where_, ": two pieces are for unknown characters");
      unknown_ = id;
    }
    if (piece.type == Type::byte) {
      const int byte = byte_of_token(piece.text);
      require(byte >= 0, ErrorCode::config, where_, ": the byte piece ", in_quotes(piece.text),
              " does not have the form <0x00>");
      byte_ids_[static_cast<size_t>(byte)] = id;
    }
    if (piece.type != Type::normal) return;
    least_ = std::min(least_, piece.score);
    most_ = std::max(most_, piece.score);
  }

  int32_t id_or_unknown(std::string_view part) const {
    const int32_t id = id_of(part).value_or(unknown_);
    if (spec_.pieces[static_cast<size_t>(id)].type != Type::control) return id;
    const auto found = found_.find(part);
    return found == found_.end() ? unknown_ : found->second;
  }

  // Unknown parts are bytes, or else neighbouring ones are one token.
  void put(std::string_view part, int32_t id, bool& after_unknown, std::vector<int32_t>& ids) const {
    const bool unknown = id == unknown_;
    if (unknown && spec_.byte_fallback)
      for (const char byte : part) ids.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
    else if (!unknown || !after_unknown)
      ids.push_back(id);
    after_unknown = unknown;
  }

  Symbol symbol_size(std::string_view text) const {
    const auto found = user_defined_.longest(text);
    return found.size > 0 ? Symbol{found.size, true} : Symbol{character_at(text, 0).size, false};
  }

  void encode_unigram(std::string_view text, std::vector<int32_t>& ids) const {
    // Sums of floats in floats, as in the library since 0.2.3: the last digit decides between cuts that are almost
    // equal.
    const auto score = [&](int32_t id, size_t size) -> float {
      const SentencePiece& piece = spec_.pieces[static_cast<size_t>(id)];
      if (piece.type == Type::unused) return std::numeric_limits<float>::quiet_NaN();
      if (piece.type == Type::user_defined) return static_cast<float>(static_cast<float>(size) * most_ - 0.1);
      return piece.score;
    };
    bool after_unknown = false;
    for (const Cut& cut : best_cuts<float>(text, trie_, least_ - 10.0f, score))
      put(text.substr(cut.begin, cut.end - cut.begin), cut.value < 0 ? unknown_ : cut.value, after_unknown, ids);
  }

  // A word begins with each space symbol.
  static void cut_words(std::string_view text, std::vector<std::string_view>& parts) {
    for (size_t at = 0; at < text.size();) {
      const size_t next = std::min(text.find(space_symbol, at + 1), text.size());
      parts.push_back(text.substr(at, next - at));
      at = next;
    }
  }

  void cut_by_scores(std::string_view text, std::vector<std::string_view>& parts) const;

  using Map = std::unordered_map<std::string_view, int32_t>;
  SentencePieceSpec spec_;
  std::string where_;
  Map found_, reserved_;  // by text: what a text may be cut into, and the others
  ByteTrie user_defined_, trie_;
  std::array<int32_t, 256> byte_ids_;
  int32_t unknown_ = -1;
  float least_ = FLT_MAX, most_ = FLT_MIN;  // of the scores
};

// Neighbours whose text together is a piece are merged, the one with the best score first, the leftmost of equal ones.
// Pieces that are unused are taken apart again.
void SpModel::cut_by_scores(std::string_view text, std::vector<std::string_view>& parts) const {
  struct Pair {
    float score;
    uint32_t left, right;
    size_t size;
  };
  const auto later = [](const Pair& a, const Pair& b) {
    return a.score != b.score ? a.score < b.score : a.left > b.left;
  };
  struct Part {
    size_t begin, size;
    uint32_t previous, next;
    bool frozen;
  };
  require(text.size() < UINT32_MAX, ErrorCode::unsupported, where_, ": a text of ", text.size(),
          " bytes is too long; cut it");
  std::vector<Part> all;
  constexpr uint32_t none = UINT32_MAX;
  for (size_t at = 0; at < text.size();) {
    const Symbol symbol = symbol_size(text.substr(at));
    const auto index = static_cast<uint32_t>(all.size());
    all.push_back({at, symbol.size, index - 1, index + 1, symbol.frozen});
    at += symbol.size;
  }
  all.back().next = none;
  std::priority_queue<Pair, std::vector<Pair>, decltype(later)> queue(later);
  std::unordered_map<std::string_view, size_t> unused;  // the size of the left part of those that were merged
  const auto offer = [&](uint32_t left, uint32_t right) {
    if (left == none || right == none || all[left].frozen || all[right].frozen) return;
    const std::string_view both = text.substr(all[left].begin, all[left].size + all[right].size);
    const auto found = found_.find(both);
    if (found == found_.end()) return;
    const SentencePiece& piece = spec_.pieces[static_cast<size_t>(found->second)];
    queue.push({piece.score, left, right, both.size()});
    if (piece.type == Type::unused) unused.insert_or_assign(both, all[left].size);
  };
  for (uint32_t i = 1; i < all.size(); ++i) offer(i - 1, i);
  while (!queue.empty()) {
    const Pair top = queue.top();
    queue.pop();
    Part &left = all[top.left], &right = all[top.right];
    if (left.size == 0 || right.size == 0 || left.size + right.size != top.size) continue;
    left.size = top.size;
    right.size = 0;
    left.next = right.next;
    if (right.next != none) all[right.next].previous = top.left;
    offer(left.previous, top.left);
    offer(top.left, left.next);
  }
  std::vector<std::string_view> waiting;  // to be taken apart; the first is the last
  for (uint32_t i = 0; i != none; i = all[i].next) {
    waiting.push_back(text.substr(all[i].begin, all[i].size));
    while (!waiting.empty()) {
      const std::string_view part = waiting.back();
      waiting.pop_back();
      const auto id = id_of(part);
      const auto found =
          id && spec_.pieces[static_cast<size_t>(*id)].type == Type::unused ? unused.find(part) : unused.end();
      if (found == unused.end()) {
        parts.push_back(part);
      } else {
        waiting.push_back(part.substr(found->second));
        waiting.push_back(part.substr(0, found->second));
      }
    }
  }
}

// Neighbouring byte pieces are characters; a byte that is none is U+FFFD. The first space goes where the normalizer
// added or removed one.
class SpDecoder : public TokenDecoder {
 public:
  explicit SpDecoder(const SentencePieceSpec& spec)
      : drops_space_(spec.add_dummy_prefix || spec.remove_extra_whitespaces),
        drops_spaces_(spec.remove_extra_whitespaces),
        unk_surface_(spec.unk_surface) {}

  void decode(std::vector<std::string>& tokens, bool raw) const override {
    std::string text, bytes;
    bool at_begin = true, dropped = false;
    const auto end_bytes = [&] {
      for (size_t at = 0; at < bytes.size();) {
        const Character c = character_at(bytes, at);
        if (c.code == broken && !raw)
          text += replacement_character;
        else
          text.append(bytes, at, c.size);
        at += c.size;
      }
      bytes.clear();
    };
    for (const std::string& token : tokens) {
      if (const int byte = byte_of_token(token); byte >= 0) {
        bytes += static_cast<char>(byte);
        continue;
      }
      end_bytes();
      if (dropped || !text.empty()) at_begin = false;
      std::string part = token;
      dropped = false;
      if (part != unk_surface_) {
        if (at_begin && drops_space_ && part.starts_with(space_symbol)) {
          part.erase(0, space_symbol.size());
          dropped = !drops_spaces_;
        }
        replace_all(part, space_symbol, " ");
      }
      text += part;
    }
    end_bytes();
    tokens = {std::move(text)};
  }

 private:
  bool drops_space_, drops_spaces_;
  std::string unk_surface_;
};

}  // namespace

std::shared_ptr<Tokenizer::Impl> sentencepiece_tokenizer(SentencePieceSpec spec, const std::string& where) {
  constexpr std::string_view names[] = {"", "SentencePiece Unigram", "SentencePiece BPE", "SentencePiece words",
                                        "SentencePiece characters"};
  auto impl = std::make_shared<Tokenizer::Impl>();
  impl->name = where;
  impl->kind = names[static_cast<size_t>(spec.kind)];
  impl->normalizer = std::make_unique<SpNormalizer>(spec);
  impl->decoder = std::make_unique<SpDecoder>(spec);
  impl->model = std::make_unique<SpModel>(std::move(spec), where);
  impl->any_bytes = true;
  impl->pairs = false;
  return impl;
}

}  // namespace statera::tokenizers
