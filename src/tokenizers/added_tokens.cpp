#include "tokenizers/added_tokens.hpp"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/characters.hpp"

namespace statera::tokenizers {

AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer* normalizer, Overlap overlap)
    : overlap_(overlap), tokens_(std::move(tokens)) {
  std::vector<std::pair<std::string_view, int32_t>> in_text, in_normalized;
  std::unordered_set<std::string_view> seen[2];
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const AddedToken& token = tokens_[i];
    Text content{token.content, 0};
    if (token.normalized && normalizer) normalizer->normalize(content);
    require(!content.bytes.empty() || token.content.empty(), ErrorCode::unsupported, "the added token ",
            in_quotes(token.content), " is nothing once it is normalized, so it would be found everywhere");
    const std::string& shown = shown_.insert_or_assign(token.id, std::move(content.bytes)).first->second;
    auto& strings = token.normalized ? in_normalized : in_text;
    require(token.content.empty() || seen[token.normalized].insert(shown).second, ErrorCode::unsupported,
            "the added token ", in_quotes(token.content), " is the same as another one once it is ",
            "normalized, and the library takes one of them by chance");
    strings.emplace_back(shown, static_cast<int32_t>(i));
    take_blanks_ = take_blanks_ || token.lstrip || token.rstrip;
    by_id_.emplace(token.id, i);
    by_content_.emplace(token.content, i);
    if (!token.special) continue;
    specials_.insert(token.content);
    special_ids_.insert(token.id);
  }
  in_text_ = ByteTrie(std::move(in_text));
  in_normalized_ = ByteTrie(std::move(in_normalized));
}

const std::string* AddedTokens::shown(int32_t id) const {
  const auto found = shown_.find(id);
  return found == shown_.end() ? nullptr : &found->second;
}

const AddedToken* AddedTokens::with_id(int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::with_content(std::string_view content) const {
  const auto found = by_content_.find(content);
  return found == by_content_.end() ? nullptr : &tokens_[found->second];
}

// Leftmost, then longest. One that is discarded still hides what lies within it.
void AddedTokens::find(std::string_view text, const ByteTrie& trie, bool plain, std::vector<Found>& found) const {
  size_t done = 0;  // where the text that is not yet accounted for begins
  for (size_t at = 0; at < text.size() && !trie.empty();) {
    if (!trie.may_begin(text[at])) {
      ++at;
      continue;
    }
    const ByteTrie::Found match = trie.longest(text.substr(at));
    if (match.size == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(match.value)];
    size_t begin = at, end = at + match.size;
    at = end;
    if (plain && is_special(token.id)) continue;
    const bool joins_before = begin > 0 && is_word(character_at(text, character_before(text, begin)).code);
    const bool joins_after = end < text.size() && is_word(character_at(text, end).code);
    if (token.single_word && (joins_before || joins_after)) continue;
    if (token.lstrip) {
      size_t blank = begin;
      while (blank > done && is_white_space(character_at(text, character_before(text, blank)).code))
        blank = character_before(text, blank);
      begin = std::max(blank, done);
    }
    if (token.rstrip)
      while (end < text.size() && is_white_space(character_at(text, end).code)) end += character_at(text, end).size;
    if (done < begin) found.push_back({done, begin, -1});
    if (begin < end) found.push_back({begin, end, token.id});  // else one before it has taken its blanks
    done = end;
  }
  if (done != text.size()) found.push_back({done, text.size(), -1});
}

// The tokens that the text begins with.
void AddedTokens::each_at(std::string_view text, bool plain, FunctionRef<void(size_t, int32_t)> use) const {
  in_text_.each(text, [&](size_t size, int32_t index) {
    if (!plain || !is_special(tokens_[static_cast<size_t>(index)].id)) use(size, index);
  });
}

namespace {
bool is_ascii_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
}  // namespace

// Of the group [begin, end) of text takes the tokens of this size where nothing was taken before. taken [end-begin]:
// for each byte, where what covers it ends; 0: nothing does.
void AddedTokens::take_longest(std::string_view text, size_t begin, size_t end, size_t size, bool plain,
                               std::vector<size_t>& taken, std::vector<Found>& found) const {
  std::vector<std::pair<int32_t, size_t>> places;  // which token, and where
  for (size_t at = begin; at + size <= end;) {
    if (taken[at - begin] != 0) {
      at = taken[at - begin];
      continue;
    }
    each_at(text.substr(at, size), plain, [&](size_t of, int32_t index) {
      if (of == size) places.emplace_back(index, at);
    });
    ++at;
  }
  std::sort(places.begin(), places.end());
  for (const auto& [index, at] : places) {
    // What is taken is not shorter, so it covers one of the ends if it covers anything.
    if (taken[at - begin] != 0 || taken[at + size - 1 - begin] != 0) continue;
    const AddedToken& token = tokens_[static_cast<size_t>(index)];
    size_t from = at, to = at + size;
    if (token.lstrip)
      while (from > begin && is_ascii_blank(text[from - 1]) && taken[from - 1 - begin] == 0) --from;
    if (token.rstrip)
      while (to < end && is_ascii_blank(text[to]) && taken[to - begin] == 0) ++to;
    std::fill(taken.begin() + static_cast<ptrdiff_t>(from - begin), taken.begin() + static_cast<ptrdiff_t>(to - begin),
              to);
    found.push_back({from, to, token.id});
  }
}

// Goes from one group of overlapping tokens to the next. Where tokens take blanks, which may be tokens themselves, the
// whole text is one group.
void AddedTokens::find_longest(std::string_view text, bool plain, std::vector<Found>& found) const {
  std::vector<size_t> taken;
  std::set<size_t, std::greater<>> sizes;
  size_t done = 0;  // where the text that is not yet accounted for begins
  for (size_t begin = 0; begin < text.size() && !in_text_.empty();) {
    size_t end = take_blanks_ ? text.size() : begin;
    sizes.clear();
    for (size_t at = begin; at == begin || at < end; ++at) {
      if (!in_text_.may_begin(text[at])) continue;
      each_at(text.substr(at), plain, [&](size_t size, int32_t) {
        sizes.insert(size);
        end = std::max(end, at + size);
      });
    }
    end = std::max(end, begin + 1);
    const size_t first = found.size();
    if (!sizes.empty()) taken.assign(end - begin, 0);
    for (const size_t size : sizes) take_longest(text, begin, end, size, plain, taken, found);
    std::sort(found.begin() + static_cast<ptrdiff_t>(first), found.end(),
              [](const Found& a, const Found& b) { return a.begin < b.begin; });
    begin = end;
  }
  std::vector<Found> tokens = std::move(found);
  found.clear();
  for (const Found& token : tokens) {
    if (done < token.begin) found.push_back({done, token.begin, -1});
    found.push_back(token);
    done = token.end;
  }
  if (done != text.size()) found.push_back({done, text.size(), -1});
}

void AddedTokens::find(std::string_view text, const Normalizer* normalizer, bool plain, Pieces& pieces) const {
  std::vector<Found> outer, inner;
  if (overlap_ == Overlap::longest)
    find_longest(text, plain, outer);
  else
    find(text, in_text_, plain, outer);
  const size_t first_size = text.empty() ? 0 : character_at(text, 0).size;
  for (const Found& section : outer) {
    if (section.id >= 0) {
      pieces.pieces.push_back({0, 0, 0, section.id});
      continue;
    }
    Text part{std::string(text.substr(section.begin, section.end - section.begin)),
              section.begin == 0 ? std::min(first_size, section.end) : 0};
    if (normalizer) normalizer->normalize(part);
    inner.clear();
    find(part.bytes, in_normalized_, plain, inner);
    const size_t at = pieces.text.size();
    pieces.text += part.bytes;
    for (const Found& piece : inner) {
      if (piece.id >= 0)
        pieces.pieces.push_back({0, 0, 0, piece.id});
      else if (piece.begin < piece.end)
        pieces.pieces.push_back({at + piece.begin, at + piece.end, at + part.from_first});
    }
  }
}

}  // namespace statera::tokenizers
