#include "tokenizers/bpe.hpp"

#include <algorithm>
#include <cstdio>
#include <queue>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/characters.hpp"
#include "tokenizers/normalizers.hpp"

namespace statera::tokenizers {

namespace {

constexpr uint32_t no_rank = ~uint32_t{0};
constexpr int32_t unknown_letter = -2;  // in a plain text, until it is merged, since its own id may be that of a text
constexpr size_t few = 48;              // symbols up to which a search over all of them is faster than a queue

}  // namespace

Merges::Merges(size_t count) {
  size_t slots = 16;
  while (slots < 2 * count) slots *= 2;
  keys_.assign(slots, none);
  merges_.resize(slots);
  mask_ = slots - 1;
}

void Merges::set(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = key_of(left, right);
  size_t i = slot(key);
  while (keys_[i] != none && keys_[i] != key) i = (i + 1) & mask_;
  keys_[i] = key;
  merges_[i] = merge;
}

Bpe::Bpe(Vocabulary vocabulary, const std::vector<std::pair<std::string, std::string>>& merges, BpeOptions options,
         const std::string& where)
    : vocabulary_(std::move(vocabulary)), merges_(merges.size()), options_(std::move(options)), where_(where) {
  const size_t prefix = options_.continuing_subword_prefix.size();
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string &left = merges[rank].first, &right = merges[rank].second;
    const auto id = [&](const std::string& token) {
      const auto found = vocabulary_.id_of(token);
      require(found.has_value(), ErrorCode::config, where, ": the merge of ", in_quotes(left), " and ",
              in_quotes(right), " needs the token ", in_quotes(token), ", which is not in the vocabulary");
      return *found;
    };
    require(right.size() >= prefix, ErrorCode::config, where, ": the merge of ", in_quotes(left), " and ",
            in_quotes(right), ": the second token is shorter than the continuing_subword_prefix");
    merges_.set(id(left), id(right), {static_cast<uint32_t>(rank), id(left + right.substr(prefix))});
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    char token[8];
    std::snprintf(token, sizeof token, "<0x%02X>", static_cast<unsigned>(byte));
    byte_tokens_[byte] = vocabulary_.id_of(token).value_or(-1);
    letters_[byte] = vocabulary_.id_of(byte_letters()[byte]).value_or(-1);
  }
}

bool Bpe::add_byte_tokens(std::string_view letter, std::vector<int32_t>& symbols) const {
  const auto token = [&](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
  if (!std::all_of(letter.begin(), letter.end(), [&](char byte) { return token(byte) >= 0; })) return false;
  for (const char byte : letter) symbols.push_back(token(byte));
  return true;
}

// An unknown character waits until a known one comes, since unknown ones may be fused. Byte tokens do not end the wait;
// so it is in the library.
void Bpe::cut(std::string_view piece, bool plain, std::vector<int32_t>& symbols) const {
  constexpr int32_t nothing = -1;
  int32_t waiting = nothing;
  const auto end_wait = [&] {
    if (waiting != nothing) symbols.push_back(waiting);
    waiting = nothing;
  };
  std::string with_affixes;
  for (size_t at = 0; at < piece.size();) {
    const size_t size = character_at(piece, at).size;
    std::string_view letter = piece.substr(at, size);
    const bool prefixed = at > 0 && !options_.continuing_subword_prefix.empty();
    const bool suffixed = at + size == piece.size() && !options_.end_of_word_suffix.empty();
    if (prefixed || suffixed) {
      with_affixes = prefixed ? options_.continuing_subword_prefix : "";
      with_affixes += letter;
      if (suffixed) with_affixes += options_.end_of_word_suffix;
      letter = with_affixes;
    }
    at += size;
    if (const auto id = vocabulary_.id_of(letter)) {
      end_wait();
      symbols.push_back(*id);
      continue;
    }
    if (options_.byte_fallback && add_byte_tokens(letter, symbols)) continue;
    if (!options_.unk_token) continue;
    if (!options_.fuse_unk) end_wait();
    waiting = unknown(letter);
    if (plain) waiting = unknown_letter;
  }
  end_wait();
}

int32_t Bpe::unknown(std::string_view letter) const {
  const auto id = vocabulary_.id_of(*options_.unk_token);
  require(id.has_value(), ErrorCode::config, where_, ": ", in_quotes(letter), " is unknown, and the unk_token ",
          in_quotes(*options_.unk_token), " is not in the vocabulary");
  return *id;
}

void Bpe::cut_bytes(std::string_view piece, std::vector<int32_t>& symbols) const {
  for (const char byte : piece)
    if (const int32_t letter = letters_[static_cast<uint8_t>(byte)]; letter >= 0) symbols.push_back(letter);
}

// By the lengths of the tokens every half is shorter than the whole, so that taking apart comes to an end.
size_t Bpe::length(int32_t id) const {
  const std::string_view token = vocabulary_.token_of(id).value_or("");
  return token.size() -
         (token.starts_with(options_.continuing_subword_prefix) ? options_.continuing_subword_prefix.size() : 0);
}

void Bpe::set_specials(const std::unordered_set<int32_t>& ids) {
  TokenModel::set_specials(ids);
  merges_.each([&](int32_t left, int32_t right, const Merges::Merge& merge) {
    if (!is_special(merge.id) || length(left) >= length(merge.id) || length(right) >= length(merge.id)) return;
    Halves& halves = halves_.try_emplace(merge.id, Halves{merge.rank, left, right}).first->second;
    if (merge.rank < halves.rank) halves = {merge.rank, left, right};
  });
}

void Bpe::take_specials_apart(std::vector<int32_t>& symbols) const {
  const auto wrong = [&](int32_t id) { return id == unknown_letter || is_special(id); };
  if (std::none_of(symbols.begin(), symbols.end(), wrong)) return;
  std::vector<int32_t> apart, waiting;  // the first one that waits is the last
  for (const int32_t symbol : symbols) {
    waiting.push_back(symbol);
    while (!waiting.empty()) {
      const int32_t id = waiting.back();
      waiting.pop_back();
      if (!wrong(id)) {
        apart.push_back(id);
      } else if (id == unknown_letter) {
        apart.push_back(*vocabulary_.id_of(*options_.unk_token));
      } else if (const auto found = halves_.find(id); found != halves_.end()) {
        waiting.push_back(found->second.right);
        waiting.push_back(found->second.left);
      } else {
        say_without(id, apart);
      }
    }
  }
  symbols = std::move(apart);
}

// Appends what a letter is where its token is special: its bytes, or an unknown one.
void Bpe::say_without(int32_t special, std::vector<int32_t>& symbols) const {
  const std::string_view letter = vocabulary_.token_of(special).value_or("");
  const bool is_byte = std::find(byte_tokens_.begin(), byte_tokens_.end(), special) != byte_tokens_.end();
  if (options_.byte_fallback && !is_byte) {
    const auto before = static_cast<ptrdiff_t>(symbols.size());
    const bool added = add_byte_tokens(letter, symbols);
    if (added && std::none_of(symbols.begin() + before, symbols.end(), [&](int32_t id) { return is_special(id); }))
      return;
    symbols.resize(static_cast<size_t>(before));
  }
  if (options_.unk_token) return symbols.push_back(unknown(letter));
  fail(ErrorCode::config, where_, ": the text has ", in_quotes(letter), ", whose token ", special,
       " is special, and no other token stands for it, so it cannot be read as plain text; take a tokenizer in which "
       "that token is not special");
}

void Bpe::encode(std::string_view piece, bool plain, std::vector<int32_t>& ids) const {
  plain = plain && has_specials();
  if (options_.ignore_merges) {
    const auto whole = options_.bytes ? vocabulary_.id_of(to_byte_letters(piece)) : vocabulary_.id_of(piece);
    if (whole && !(plain && is_special(*whole))) {
      ids.push_back(*whole);
      return;
    }
  }
  std::vector<int32_t> symbols;
  symbols.reserve(piece.size());
  if (options_.bytes)
    cut_bytes(piece, symbols);
  else
    cut(piece, plain, symbols);
  if (symbols.size() <= few)
    merge_few(symbols);
  else
    merge_many(symbols);
  if (plain) take_specials_apart(symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

void Bpe::merge_few(std::vector<int32_t>& symbols) const {
  size_t count = symbols.size();
  if (count < 2) return;
  const Merges::Merge* found[few];  // [count-1] of symbol i and the next
  for (size_t i = 0; i + 1 < count; ++i) found[i] = merges_.find(symbols[i], symbols[i + 1]);
  for (;;) {
    uint32_t best = no_rank;
    size_t at = 0;
    for (size_t i = 0; i + 1 < count; ++i)
      if (found[i] && found[i]->rank < best) {
        best = found[i]->rank;
        at = i;
      }
    if (best == no_rank) break;
    symbols[at] = found[at]->id;
    std::copy(symbols.begin() + static_cast<ptrdiff_t>(at) + 2, symbols.begin() + static_cast<ptrdiff_t>(count),
              symbols.begin() + static_cast<ptrdiff_t>(at) + 1);
    std::copy(found + at + 1, found + count - 1, found + at);
    --count;
    if (at + 1 < count) found[at] = merges_.find(symbols[at], symbols[at + 1]);
    if (at > 0) found[at - 1] = merges_.find(symbols[at - 1], symbols[at]);
  }
  symbols.resize(count);
}

// In a time that grows little faster than the number of symbols: a text without pre-tokenizer is one piece.
void Bpe::merge_many(std::vector<int32_t>& symbols) const {
  struct Candidate {
    uint32_t rank;
    uint32_t at;          // of the left one
    int32_t left, right;  // what stood there
  };
  const auto later = [](const Candidate& a, const Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  };
  require(symbols.size() < UINT32_MAX, ErrorCode::unsupported, where_, ": a piece of ", symbols.size(),
          " symbols is too long; cut the text");
  const auto count = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> next(count), previous(count);
  std::vector<Candidate> all;
  const auto candidate = [&](uint32_t at, uint32_t right) -> std::optional<Candidate> {
    const Merges::Merge* merge = merges_.find(symbols[at], symbols[right]);
    return merge ? std::optional(Candidate{merge->rank, at, symbols[at], symbols[right]}) : std::nullopt;
  };
  for (uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1;
    previous[i] = i - 1;
    if (i + 1 < count)
      if (const auto found = candidate(i, i + 1)) all.push_back(*found);
  }
  std::priority_queue<Candidate, std::vector<Candidate>, decltype(later)> queue(later, std::move(all));
  const auto push = [&](uint32_t at, uint32_t right) {
    if (const auto found = candidate(at, right)) queue.push(*found);
  };
  constexpr int32_t gone = -1;
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    const uint32_t right = next[top.at];
    if (symbols[top.at] != top.left || right >= count || symbols[right] != top.right) continue;
    symbols[top.at] = merges_.find(top.left, top.right)->id;
    symbols[right] = gone;
    next[top.at] = next[right];
    if (next[right] < count) previous[next[right]] = top.at;
    if (previous[top.at] < count) push(previous[top.at], top.at);
    if (next[top.at] < count) push(top.at, next[top.at]);
  }
  std::erase(symbols, gone);
}

}  // namespace statera::tokenizers
