#include "tokenizers/parts_json.hpp"

#include <utility>

#include "tokenizers/decoders.hpp"
#include "tokenizers/json_part.hpp"
#include "tokenizers/normalizers.hpp"
#include "tokenizers/post_processors.hpp"
#include "tokenizers/pre_tokenizers.hpp"

namespace statera::tokenizers {

namespace {

using nlohmann::json;

[[noreturn]] void unknown_type(const JsonPart& part, const std::string& type) {
  fail(ErrorCode::unsupported, part.where(), ": the type ", in_quotes(type), " is not known here");
}

Regex read_pattern(JsonPart& part) {
  JsonPart pattern = part.part("pattern");
  try {
    Regex regex = pattern.has("Regex") ? Regex(pattern.text("Regex")) : Regex::literal(pattern.text("String"));
    pattern.done();
    return regex;
  } catch (const Error& error) {
    throw Error(error.code(), part.where() + ": " + error.what());
  }
}

// A field that holds one character.
std::string read_character(JsonPart& part, const char* key) {
  std::string text = part.text(key);
  require(count_characters(text) == 1, ErrorCode::config, part.place(key), ": expected one character, got ",
          in_quotes(text));
  return text;
}

// A string to be replaced: the library finds an empty one everywhere.
std::string text_that_is_some(JsonPart& part, const char* key) {
  std::string text = part.text(key);
  require(!text.empty(), ErrorCode::unsupported, part.place(key), ": an empty string is found everywhere");
  return text;
}

Behavior read_behavior(JsonPart& part) {
  const std::string name = part.text("behavior");
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  fail(ErrorCode::unsupported, part.place("behavior"), ": ", in_quotes(name),
       " is not known; expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

MetaspaceOptions read_metaspace(JsonPart& part) {
  MetaspaceOptions options{.replacement = read_character(part, "replacement"), .split = part.flag("split", true)};
  part.has("str_rep");  // the replacement again
  const bool named = part.has("prepend_scheme");
  if (named) {
    const std::string scheme = part.text("prepend_scheme");
    const bool known = scheme == "first" || scheme == "never" || scheme == "always";
    require(known, ErrorCode::unsupported, part.place("prepend_scheme"), ": ", in_quotes(scheme),
            " is not known; expected first, never or always");
    options.prepend = scheme == "first" ? Prefixed::first : scheme == "never" ? Prefixed::never : Prefixed::always;
  }
  if (part.has("add_prefix_space") && !part.flag("add_prefix_space")) {
    require(!named || options.prepend == Prefixed::never, ErrorCode::config, part.where(),
            ": add_prefix_space is false, but prepend_scheme is not never");
    options.prepend = Prefixed::never;
  }
  return options;
}

// Fields that say how offsets are counted, which nobody asks for here.
void skip_offsets(JsonPart& part) {
  for (const char* key : {"trim_offsets", "add_prefix_space", "use_regex"}) part.has(key);
}

// The objects in the list under `key`, each read by `read`.
template <class Part, class Read>
Parts<Part> read_all(JsonPart& part, const char* key, Read read) {
  Parts<Part> all;
  size_t index = 0;
  for (const json& one : part.list(key))
    all.push_back(read(one, part.place(key) + "[" + std::to_string(index++) + "]"));
  return all;
}

std::unique_ptr<Normalizer> read_bert(JsonPart& part) {
  BertNormalizerOptions options{.clean_text = part.flag("clean_text"),
                                .handle_chinese_chars = part.flag("handle_chinese_chars"),
                                .lowercase = part.flag("lowercase")};
  options.strip_accents = part.flag("strip_accents", options.lowercase);
  return bert_normalizer(options);
}

std::unique_ptr<const Normalizer> normalizer_of(JsonPart& part) {
  const std::string type = part.text("type");
  if (type == "NFC") return unicode_form(Form::nfc);
  if (type == "NFD") return unicode_form(Form::nfd);
  if (type == "NFKC") return unicode_form(Form::nfkc);
  if (type == "NFKD") return unicode_form(Form::nfkd);
  if (type == "Lowercase") return lowercase();
  if (type == "StripAccents") return strip_accents();
  if (type == "Nmt") return nmt();
  if (type == "ByteLevel") return byte_level_letters();
  if (type == "BertNormalizer") return read_bert(part);
  if (type == "Strip") {
    const bool left = part.flag("strip_left");
    return strip(left, part.flag("strip_right"));
  }
  if (type == "Replace") {
    Regex pattern = read_pattern(part);
    return replace(std::move(pattern), part.text("content"));
  }
  if (type == "Prepend") return prepend(part.text("prepend"));
  if (type == "Precompiled")
    return precompiled(Charsmap(from_base64(part.text("precompiled_charsmap"), part.where()), part.where()));
  if (type == "Sequence") return normalizers(read_all<Normalizer>(part, "normalizers", read_normalizer));
  unknown_type(part, type);
}

void add_pre_tokenizer(const json& value, const std::string& where, Parts<PreTokenizer>& all, bool& letters);

// Appends what a ByteLevel does; the letters only if something follows.
void add_byte_level(JsonPart& part, Parts<PreTokenizer>& all, bool& letters) {
  if (part.flag("add_prefix_space")) all.push_back(prefix_blank());
  if (part.flag("use_regex", true)) all.push_back(split(Regex(gpt2_pattern), Behavior::isolated, false));
  part.has("trim_offsets");
  letters = true;
}

void add_of_type(JsonPart& part, const std::string& type, Parts<PreTokenizer>& all) {
  if (type == "Split") {
    Regex pattern = read_pattern(part);
    const Behavior behavior = read_behavior(part);
    all.push_back(split(std::move(pattern), behavior, part.flag("invert")));
  } else if (type == "Metaspace") {
    all.push_back(metaspace(read_metaspace(part)));
  } else if (type == "Whitespace") {
    all.push_back(whitespace());
  } else if (type == "WhitespaceSplit") {
    all.push_back(split_at(is_white_space, Behavior::removed));
  } else if (type == "BertPreTokenizer") {
    all.push_back(split_at(is_white_space, Behavior::removed));
    all.push_back(split_at(is_old_punctuation, Behavior::isolated));
  } else if (type == "Punctuation") {
    all.push_back(split_at(is_old_punctuation, part.has("behavior") ? read_behavior(part) : Behavior::isolated));
  } else if (type == "Digits") {
    all.push_back(split_at(is_numeric, part.flag("individual_digits") ? Behavior::isolated : Behavior::contiguous));
  } else if (type == "CharDelimiterSplit") {
    all.push_back(split_at_character(character_at(read_character(part, "delimiter"), 0).code, Behavior::removed));
  } else if (type == "UnicodeScripts") {
    all.push_back(unicode_scripts());
  } else if (type == "FixedLength") {
    all.push_back(fixed_length(part.has("length") ? static_cast<size_t>(part.number("length", 1, INT32_MAX)) : 5));
  } else {
    unknown_type(part, type);
  }
}

void add_pre_tokenizer(const json& value, const std::string& where, Parts<PreTokenizer>& all, bool& letters) {
  JsonPart part(value, where);
  const std::string type = part.text("type");
  if (type == "Sequence") {
    size_t index = 0;
    for (const json& one : part.list("pretokenizers"))
      add_pre_tokenizer(one, part.place("pretokenizers") + "[" + std::to_string(index++) + "]", all, letters);
  } else {
    if (std::exchange(letters, false)) all.push_back(byte_letters_of_pieces());
    if (type == "ByteLevel")
      add_byte_level(part, all, letters);
    else
      add_of_type(part, type, all);
  }
  part.done();
}

int32_t read_id(const json& value, const std::string& where) {
  const bool good = value.is_number_unsigned() && value.get<uint64_t>() < static_cast<uint64_t>(INT32_MAX);
  require(good, ErrorCode::config, where, ": expected an id, got ", json_text(value));
  return value.get<int32_t>();
}

// ["[SEP]", 102]
int32_t read_token_and_id(JsonPart& part, const char* key) {
  const json& both = part.list(key);
  require(both.size() == 2 && both[0].is_string(), ErrorCode::config, part.place(key),
          ": expected a token and its id, got ", json_text(both));
  return read_id(both[1], part.place(key));
}

std::vector<TemplatePiece> read_template(JsonPart& part, const char* key, const json& specials) {
  std::vector<TemplatePiece> pieces;
  for (const json& one : part.list(key)) {
    JsonPart piece(one, part.place(key));
    const bool is_text = piece.has("Sequence");
    JsonPart inner = piece.part(is_text ? "Sequence" : "SpecialToken");
    TemplatePiece& made = pieces.emplace_back();
    const std::string id = inner.text("id");
    made.type_id = static_cast<int32_t>(inner.number("type_id", 0, INT32_MAX));
    if (is_text) {
      require(id == "A" || id == "B", ErrorCode::unsupported, inner.where(), ": the text ", in_quotes(id),
              " is not known; expected A or B");
      made.text = id == "A" ? 0 : 1;
    } else {
      require(specials.is_object() && specials.contains(id), ErrorCode::config, inner.where(), ": the special token ",
              in_quotes(id), " is not in special_tokens");
      JsonPart special(specials[id], part.place("special_tokens") + "." + id);
      for (const json& number : special.list("ids")) made.ids.push_back(read_id(number, special.where()));
    }
    inner.done();
    piece.done();
  }
  return pieces;
}

std::unique_ptr<const PostProcessor> post_processor_of(JsonPart& part) {
  const std::string type = part.text("type");
  if (type == "TemplateProcessing") {
    const json& specials = part["special_tokens"];
    std::vector<TemplatePiece> single = read_template(part, "single", specials);
    return template_processing(std::move(single), read_template(part, "pair", specials));
  }
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    const int32_t cls = read_token_and_id(part, "cls"), sep = read_token_and_id(part, "sep");
    if (type == "BertProcessing") return bert_processing(cls, sep);
    skip_offsets(part);
    return roberta_processing(cls, sep);
  }
  if (type == "ByteLevel") {
    skip_offsets(part);
    return post_processors({});
  }
  if (type == "Sequence") return post_processors(read_all<PostProcessor>(part, "processors", read_post_processor));
  unknown_type(part, type);
}

std::unique_ptr<const TokenDecoder> decoder_of(JsonPart& part) {
  const std::string type = part.text("type");
  if (type == "ByteLevel") {
    skip_offsets(part);
    return byte_level_decoder();
  }
  if (type == "ByteFallback") return byte_fallback_decoder();
  if (type == "Fuse") return fuse_decoder();
  if (type == "BPEDecoder") return bpe_decoder(text_that_is_some(part, "suffix"));
  if (type == "Metaspace") {
    const MetaspaceOptions options = read_metaspace(part);
    return metaspace_decoder(options.replacement, options.prepend != Prefixed::never);
  }
  if (type == "WordPiece") {
    std::string prefix = part.text("prefix");
    return word_piece_decoder(std::move(prefix), part.flag("cleanup"));
  }
  if (type == "CTC") {
    std::string pad = part.text("pad_token"), delimiter = text_that_is_some(part, "word_delimiter_token");
    return ctc_decoder(std::move(pad), std::move(delimiter), part.flag("cleanup"));
  }
  if (type == "Replace") {
    Regex pattern = read_pattern(part);
    return replace_decoder(std::move(pattern), part.text("content"));
  }
  if (type == "Strip") {
    std::string character = read_character(part, "content");
    const int64_t start = part.number("start", 0, INT32_MAX);
    return strip_decoder(std::move(character), start, part.number("stop", 0, INT32_MAX));
  }
  if (type == "Sequence") return decoders(read_all<TokenDecoder>(part, "decoders", read_decoder));
  unknown_type(part, type);
}

}  // namespace

std::unique_ptr<const Normalizer> read_normalizer(const json& value, const std::string& where) {
  JsonPart part(value, where);
  auto made = normalizer_of(part);
  part.done();
  return made;
}

PreTokenizers read_pre_tokenizer(const json& value, const std::string& where) {
  PreTokenizers made;
  add_pre_tokenizer(value, where, made.all, made.bytes);
  return made;
}

void add_byte_letters(Parts<PreTokenizer>& all) { all.push_back(byte_letters_of_pieces()); }

std::unique_ptr<const PostProcessor> read_post_processor(const json& value, const std::string& where) {
  JsonPart part(value, where);
  auto made = post_processor_of(part);
  part.done();
  return made;
}

std::unique_ptr<const TokenDecoder> read_decoder(const json& value, const std::string& where) {
  JsonPart part(value, where);
  auto made = decoder_of(part);
  part.done();
  return made;
}

}  // namespace statera::tokenizers
