// GPT-2's vocab.json and merges.txt.
#include <set>
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
            ErrorCode::config, where, ": line ", number, " of the merges: expected two tokens, got ", in_quotes(line));
    merges.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  }
  return merges;
}

}  // namespace

std::shared_ptr<Tokenizer::Impl> read_vocab_and_merges(std::string_view vocabulary, std::string_view merges_text,
                                                       const std::string& where) {
  const nlohmann::json document = parse_json(vocabulary, where, size_t{512} << 20);
  const auto merges = read_merges(merges_text, where);
  std::set<std::string, std::less<>> made(byte_letters().begin(), byte_letters().end());
  for (const auto& [left, right] : merges) made.insert(left + right);
  Vocabulary tokens;
  std::vector<AddedToken> specials;
  for (const auto& [token, id] : document.items()) {
    require(id.is_number_unsigned() && id.get<uint64_t>() < most_ids, ErrorCode::config, where, ": the id of ",
            in_quotes(token), " is ", in_quotes(json_text(id)), "; expected a whole number");
    tokens.add(token, id.get<int64_t>(), where);
    // What no merge makes cannot come out of a text: <|endoftext|>, for one.
    if (!made.contains(token)) specials.push_back({.content = token, .id = id.get<int32_t>(), .special = true});
  }
  auto impl = std::make_shared<Tokenizer::Impl>();
  impl->name = where;
  impl->kind = "BPE";
  impl->model = std::make_unique<Bpe>(std::move(tokens), merges, BpeOptions{.bytes = true}, where);
  impl->pre_tokenizers.push_back(split(Regex(gpt2_pattern), Behavior::isolated, false));
  impl->decoder = byte_level_decoder();
  impl->added = AddedTokens(std::move(specials), nullptr);
  impl->any_bytes = true;
  impl->pairs = false;
  return impl;
}

}  // namespace statera::tokenizers
