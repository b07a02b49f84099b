// tokenizer.json of Hugging Face's library.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "tokenizers/bpe.hpp"
#include "tokenizers/decoders.hpp"
#include "tokenizers/json_part.hpp"
#include "tokenizers/parts_json.hpp"
#include "tokenizers/tokenizer_impl.hpp"
#include "tokenizers/unigram.hpp"
#include "tokenizers/word_models.hpp"

namespace statera::tokenizers {

namespace {

using nlohmann::json;
constexpr size_t most_bytes = size_t{512} << 20;

Vocabulary read_vocabulary(JsonPart& part) {
  const json& object = part["vocab"];
  const std::string where = part.place("vocab");
  require(object.is_object(), ErrorCode::config, where, ": expected an object of tokens and ids, got ",
          object.type_name());
  Vocabulary vocabulary;
  for (const auto& [token, id] : object.items()) {
    require(id.is_number_unsigned() && id.get<uint64_t>() <= INT32_MAX, ErrorCode::config, where, ": the id of ",
            in_quotes(token), " is ", json_text(id), "; expected a whole number");
    vocabulary.add(token, id.get<int64_t>(), where);
  }
  return vocabulary;
}

// ["a", "b"], or in old files "a b".
std::vector<std::pair<std::string, std::string>> read_merges(JsonPart& part) {
  std::vector<std::pair<std::string, std::string>> merges;
  for (const json& one : part.list("merges")) {
    if (one.is_array() && one.size() == 2 && one[0].is_string() && one[1].is_string()) {
      merges.emplace_back(one[0].get<std::string>(), one[1].get<std::string>());
      continue;
    }
    const std::string line = one.is_string() ? one.get<std::string>() : "";
    if (line.starts_with("#version")) continue;
    const size_t blank = line.find(' ');
    require(blank != line.npos && line.find(' ', blank + 1) == line.npos, ErrorCode::config, part.place("merges"),
            ": expected two tokens, got ", in_quotes(json_text(one)));
    merges.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  }
  return merges;
}

std::string text_or_nothing(JsonPart& part, const char* key) { return part.has(key) ? part.text(key) : ""; }

// `bytes`: the pre-tokenizer wants letters of bytes. Sets it to false if they have to be written.
std::unique_ptr<TokenModel> read_bpe(JsonPart& part, bool& bytes) {
  if (part.has("dropout")) {
    const json& dropout = part["dropout"];
    require(dropout.is_number() && dropout.get<double>() == 0, ErrorCode::unsupported, part.place("dropout"),
            ": ids would be drawn by chance; set it to null");
  }
  BpeOptions options{.continuing_subword_prefix = text_or_nothing(part, "continuing_subword_prefix"),
                     .end_of_word_suffix = text_or_nothing(part, "end_of_word_suffix"),
                     .fuse_unk = part.flag("fuse_unk", false),
                     .byte_fallback = part.flag("byte_fallback", false),
                     .ignore_merges = part.flag("ignore_merges", false)};
  if (part.has("unk_token")) options.unk_token = part.text("unk_token");
  options.bytes = bytes = bytes && options.continuing_subword_prefix.empty() && options.end_of_word_suffix.empty() &&
                          !options.unk_token && !options.byte_fallback;
  Vocabulary vocabulary = read_vocabulary(part);
  return std::make_unique<Bpe>(std::move(vocabulary), read_merges(part), std::move(options), part.where());
}

std::unique_ptr<TokenModel> read_unigram(JsonPart& part) {
  std::vector<std::pair<std::string, double>> vocabulary;
  for (const json& one : part.list("vocab")) {
    require(one.is_array() && one.size() == 2 && one[0].is_string() && one[1].is_number(), ErrorCode::config,
            part.place("vocab"), ": expected a token and its score, got ", in_quotes(json_text(one)));
    vocabulary.emplace_back(one[0].get<std::string>(), one[1].get<double>());
  }
  std::optional<int32_t> unk_id;
  if (part.has("unk_id")) unk_id = static_cast<int32_t>(part.number("unk_id", 0, INT32_MAX));
  return unigram(vocabulary, unk_id, part.flag("byte_fallback", false), part.where());
}

// Old files do not say of which type the model is.
std::string type_of(JsonPart& part) {
  if (part.has("type")) return part.text("type");
  if (part.has("merges")) return "BPE";
  if (part["vocab"].is_array()) return "Unigram";
  return part.has("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

std::unique_ptr<TokenModel> read_model(JsonPart part, std::string& type, bool& bytes) {
  type = type_of(part);
  const bool wanted = std::exchange(bytes, false);
  std::unique_ptr<TokenModel> model;
  if (type == "BPE") {
    bytes = wanted;
    model = read_bpe(part, bytes);
  } else if (type == "Unigram") {
    model = read_unigram(part);
  } else if (type == "WordPiece") {
    WordPieceOptions options{.unk_token = part.text("unk_token"),
                             .continuing_subword_prefix = part.text("continuing_subword_prefix"),
                             .max_input_chars_per_word = part.number("max_input_chars_per_word", 0, INT64_MAX)};
    model = word_piece(read_vocabulary(part), std::move(options), part.where());
  } else if (type == "WordLevel") {
    std::string unk_token = part.text("unk_token");
    model = word_level(read_vocabulary(part), std::move(unk_token), part.where());
  } else {
    fail(ErrorCode::unsupported, part.where(), ": the type ", in_quotes(type), " is not known here");
  }
  part.done();
  return model;
}

// The library counts ids by itself: a token that is in the vocabulary has its id there, others follow. Where the
// vocabulary leaves ids out, its releases differ: 0.23, and those before 0.14, go on from the number of tokens in the
// vocabulary; 0.14 to 0.22 go on from the highest id of an added token so far, if that is above. A file's ids are those
// of the release that wrote it, so both are taken.
std::vector<AddedToken> read_added_tokens(const json& list, const TokenModel& model, const std::string& where) {
  std::vector<AddedToken> tokens;
  std::unordered_set<std::string> contents;
  require(list.is_array(), ErrorCode::config, where, ": expected a list, got ", list.type_name());
  int64_t next = model.size(), highest = -1;
  for (const json& one : list) {
    JsonPart part(one, where + "[" + std::to_string(tokens.size()) + "]");
    AddedToken token{.content = part.text("content"),
                     .id = static_cast<int32_t>(part.number("id", 0, most_ids)),
                     .single_word = part.flag("single_word"),
                     .lstrip = part.flag("lstrip"),
                     .rstrip = part.flag("rstrip"),
                     .normalized = part.flag("normalized"),
                     .special = part.flag("special")};
    part.done();
    if (token.content.empty()) continue;  // as the library does
    require(contents.insert(token.content).second, ErrorCode::config, part.where(), ": the token ",
            in_quotes(token.content), " occurs twice");
    const auto known = model.id_of(token.content);
    const int64_t id = known ? *known : next++;
    const bool counted = id == token.id || (!known && token.id == std::max(highest + 1, model.size()));
    require(counted, ErrorCode::config, part.where(), ": the token ", in_quotes(token.content), " has the id ",
            token.id, ", but ", known ? "in the vocabulary it has " : "the next one after the vocabulary is ", id,
            "; save the file again with the library that wrote it");
    highest = std::max(highest, int64_t{token.id});
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Side read_side(JsonPart& part, const char* key) {
  const std::string name = part.text(key);
  require(name == "Left" || name == "Right", ErrorCode::unsupported, part.place(key), ": ", in_quotes(name),
          " is not known; expected Left or Right");
  return name == "Left" ? Side::left : Side::right;
}

Truncation read_truncation(JsonPart part) {
  Truncation truncation{.direction = part.has("direction") ? read_side(part, "direction") : Side::right,
                        .max_length = part.number("max_length", 0, INT64_MAX),
                        .stride = part.number("stride", 0, INT64_MAX)};
  const std::string strategy = part.text("strategy");
  using Strategy = Truncation::Strategy;
  if (strategy == "OnlyFirst")
    truncation.strategy = Strategy::only_first;
  else if (strategy == "OnlySecond")
    truncation.strategy = Strategy::only_second;
  else
    require(strategy == "LongestFirst", ErrorCode::unsupported, part.place("strategy"), ": ", in_quotes(strategy),
            " is not known; expected LongestFirst, OnlyFirst or OnlySecond");
  part.done();
  return truncation;
}

Padding read_padding(JsonPart part) {
  Padding padding{.direction = read_side(part, "direction"),
                  .id = static_cast<int32_t>(part.number("pad_id", 0, INT32_MAX)),
                  .type_id = static_cast<int32_t>(part.number("pad_type_id", 0, INT32_MAX))};
  part.has("pad_token");
  if (part.has("pad_to_multiple_of")) padding.multiple_of = part.number("pad_to_multiple_of", 0, 1 << 24);
  if (const json& strategy = part["strategy"]; strategy.is_object()) {
    JsonPart fixed = part.part("strategy");
    padding.fixed = fixed.number("Fixed", 0, 1 << 24);
    fixed.done();
  } else {
    require(strategy == "BatchLongest", ErrorCode::unsupported, part.place("strategy"), ": ",
            in_quotes(json_text(strategy)), " is not known; expected BatchLongest or Fixed");
  }
  part.done();
  return padding;
}

}  // namespace

std::shared_ptr<Tokenizer::Impl> read_tokenizer_json(std::string_view text, const std::string& where) {
  const json document = parse_json(text, where, most_bytes);
  JsonPart part(document, where, true);
  auto impl = std::make_shared<Tokenizer::Impl>();
  impl->name = where;
  if (part.has("version"))
    require(part.text("version") == "1.0", ErrorCode::unsupported, where, ": version ", in_quotes(part.text("version")),
            " of tokenizer.json is not known; expected 1.0");
  if (part.has("truncation")) impl->truncation = read_truncation(part.part("truncation"));
  if (part.has("padding")) impl->padding = read_padding(part.part("padding"));
  if (part.has("normalizer")) impl->normalizer = read_normalizer(part["normalizer"], part.place("normalizer"));
  PreTokenizers pre_tokenizers;
  if (part.has("pre_tokenizer"))
    pre_tokenizers = read_pre_tokenizer(part["pre_tokenizer"], part.place("pre_tokenizer"));
  const bool letters = pre_tokenizers.bytes;
  impl->model = read_model(part.part("model"), impl->kind, pre_tokenizers.bytes);
  impl->pre_tokenizers = std::move(pre_tokenizers.all);
  if (letters && !pre_tokenizers.bytes) add_byte_letters(impl->pre_tokenizers);
  if (part.has("post_processor"))
    impl->post_processor = read_post_processor(part["post_processor"], part.place("post_processor"));
  impl->decoder = part.has("decoder") ? read_decoder(part["decoder"], part.place("decoder")) : blanks_decoder();
  if (part.has("added_tokens"))
    impl->added = AddedTokens(read_added_tokens(part["added_tokens"], *impl->model, part.place("added_tokens")),
                              impl->normalizer.get());
  part.done();
  impl->any_bytes = letters && !impl->normalizer;
  return impl;
}

}  // namespace statera::tokenizers
