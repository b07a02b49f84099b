// GPT-2's vocab.json and merges.txt.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/check.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "tokenizers/bpe.hpp"
#include "tokenizers/decoders.hpp"
#include "tokenizers/normalizers.hpp"
#include "tokenizers/pre_tokenizers.hpp"
#include "tokenizers/tokenizer_impl.hpp"

namespace statera::tokenizers {

namespace {

std::vector<std::pair<std::string, std::string>> read_merges(std::string_view text, const std::string& where) {
  std::vector<std::pair<std::string, std::string>> merges;
  int64_t number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with("#version")) continue;
    const size_t blank = line.find(' ');
    require(blank != line.npos && blank > 0 && blank + 1 < line.size() && line.find(' ', blank + 1) == line.npos,
            ErrorCode::config, where, ": line ", number, ": expected two tokens, got ", in_quotes(line));
    merges.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  }
  return merges;
}

// The bytes whose letters the token is made of; nothing if it has a character that is no byte's letter.
std::optional<std::string> bytes_of(std::string_view token) {
  std::string bytes;
  for (size_t at = 0; at < token.size(); at += character_at(token, at).size) {
    const int byte = byte_of_letter(character_at(token, at).code);
    if (byte < 0) return std::nullopt;
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

// Whether merges could make the token out of a text. They work within a word, so a text of several words, such as
// <|endoftext|>, is made by none; and what merges make has letters of bytes only.
bool may_be_merged(std::string_view token, const Regex& words) {
  const auto bytes = bytes_of(token);
  if (!bytes || bytes->empty()) return false;
  bool whole = first_broken(*bytes) != bytes->npos;  // a part of a character: no text that somebody would reserve
  words.each(*bytes, [&](size_t begin, size_t end) { whole = whole || (begin == 0 && end == bytes->size()); });
  return whole;
}

// The tokens that merges make, and the letters of bytes. A merge of something else is an error.
std::unordered_set<std::string> made_by(const std::vector<std::pair<std::string, std::string>>& merges,
                                        const std::string& where) {
  std::unordered_set<std::string> made(byte_letters().begin(), byte_letters().end());
  for (const auto& [left, right] : merges) {
    for (const std::string& part : {left, right})
      require(made.contains(part), ErrorCode::config, where, ": the merge of ", in_quotes(left), " and ",
              in_quotes(right), " needs ", in_quotes(part),
              ", which no merge before it makes; is the file cut, or of another tokenizer? Fetch it again");
    made.insert(left + right);
  }
  return made;
}

}  // namespace

std::shared_ptr<Tokenizer::Impl> read_vocab_and_merges(std::string_view vocabulary, std::string_view merges_text,
                                                       const std::string& where, const std::string& merges_where) {
  const nlohmann::json document = parse_json(vocabulary, where, size_t{512} << 20);
  const auto merges = read_merges(merges_text, merges_where);
  const auto made = made_by(merges, merges_where);
  const Regex words(gpt2_pattern);
  Vocabulary tokens;
  std::vector<AddedToken> specials;
  for (const auto& [token, id] : document.items()) {
    require(id.is_number_unsigned() && id.get<uint64_t>() < most_ids, ErrorCode::config, where, ": the id of ",
            in_quotes(token), " is ", in_quotes(json_text(id)), "; expected a whole number");
    tokens.add(token, id.get<int64_t>(), where);
    // What no merge makes cannot come out of a text: <|endoftext|>, for one.
    if (!made.contains(token)) specials.push_back({.content = token, .id = id.get<int32_t>(), .special = true});
  }
  // The file of merges says nowhere how many there are; a token that should be made and is not shows that it is cut.
  std::ranges::sort(specials, {}, &AddedToken::id);
  for (const AddedToken& token : specials)
    require(!may_be_merged(token.content, words), ErrorCode::config, merges_where, ": no merge makes the token ",
            in_quotes(token.content), " (id ", token.id, ") of ", where,
            ", so merges are missing; fetch the file again");
  auto impl = std::make_shared<Tokenizer::Impl>();
  impl->name = where;
  impl->kind = "BPE";
  impl->model = std::make_unique<Bpe>(std::move(tokens), merges, BpeOptions{.bytes = true}, merges_where);
  impl->pre_tokenizers.push_back(split(words, Behavior::isolated, false));
  impl->decoder = byte_level_decoder();
  impl->added = AddedTokens(std::move(specials), nullptr);
  impl->any_bytes = true;
  impl->pairs = false;
  return impl;
}

}  // namespace statera::tokenizers
