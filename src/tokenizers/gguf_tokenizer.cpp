// The tokenizer in the metadata of a GGUF file.
#include <algorithm>
#include <cctype>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/bpe.hpp"
#include "tokenizers/decoders.hpp"
#include "tokenizers/gguf_metadata.hpp"
#include "tokenizers/gguf_patterns.hpp"
#include "tokenizers/normalizers.hpp"
#include "tokenizers/post_processors.hpp"
#include "tokenizers/pre_tokenizers.hpp"
#include "tokenizers/sentencepiece.hpp"
#include "tokenizers/tokenizer_impl.hpp"
#include "tokenizers/word_models.hpp"

namespace statera::tokenizers {

namespace {

using Type = SentencePiece::Type;
constexpr std::string_view space_symbol = "\xE2\x96\x81";
constexpr Type undefined{0};

class GgufTokenizer {
 public:
  GgufTokenizer(std::string_view bytes, const std::string& where) : file_(bytes, where), where_(where) {
    tokens_ = file_.texts(key("tokens"));
    types_ = file_.numbers(key("token_type"));
    types_.resize(std::max(types_.size(), tokens_.size()), static_cast<int32_t>(Type::normal));
    require(!tokens_.empty() && tokens_.size() < most_ids && types_.size() == tokens_.size(), ErrorCode::config, where,
            ": ", tokens_.size(), " tokens and ", types_.size(), " types of tokens; expected as many");
    for (size_t id = 0; id < tokens_.size(); ++id)
      require(types_[id] >= 0 && types_[id] <= static_cast<int32_t>(Type::byte), ErrorCode::unsupported, where,
              ": the token ", in_quotes(tokens_[id]), " has the type ", types_[id], "; expected 0 to 6");
    impl_->name = where;
    impl_->any_bytes = true;
    impl_->pairs = false;
  }

  std::shared_ptr<Tokenizer::Impl> make() {
    const std::string_view model = file_.text(key("model"));
    if (model == "llama")
      sentencepiece();
    else if (model == "gpt2")
      byte_level();
    else if (model == "bert")
      bert();
    else if (model == "rwkv")
      rwkv();
    else
      fail(ErrorCode::unsupported, where_, ": the tokenizer ", in_quotes(model),
           " is not known here; expected llama, gpt2, bert or rwkv");
    return impl_;
  }

 private:
  static std::string key(const char* name) { return std::string("tokenizer.ggml.") + name; }
  Type type(size_t id) const { return static_cast<Type>(types_[id]); }

  // Control and unknown tokens are special, user-defined ones are found in any text.
  void add_tokens() {
    std::string model(file_.text("general.name", ""));
    for (char& c : model) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::string_view pre = file_.text(key("pre"), "");
    const bool is_phi3 = model.find("phi-3") != model.npos || model.find("phi3") != model.npos;
    std::vector<AddedToken> added;
    for (size_t id = 0; id < tokens_.size(); ++id) {
      const bool special = type(id) == Type::control || type(id) == Type::unknown;
      if (!special && type(id) != Type::user_defined) continue;
      const std::string_view text = tokens_[id];
      // Phi-3 was trained so, which its file does not say.
      const bool lstrip = (text == "<mask>" && pre.starts_with("jina-v2-")) ||
                          (text == "[MASK]" && model.find("modern-bert") != model.npos);
      const bool rstrip = is_phi3 && text != "<unk>" && text != "<s>" && text != "<|endoftext|>";
      added.push_back({.content = std::string(text),
                       .id = static_cast<int32_t>(id),
                       .lstrip = lstrip,
                       .rstrip = rstrip,
                       .special = special});
    }
    impl_->added = AddedTokens(std::move(added), nullptr, Overlap::longest);
  }

  // What each id stands for in a text: a byte is a byte, added tokens are what they are, and `normal` says what the
  // others are. What is unused or has no type stands for nothing.
  void decode_by_type(std::string (*normal)(std::string_view token)) {
    for (size_t id = 0; id < tokens_.size(); ++id) {
      std::string shown;
      if (type(id) == Type::normal) {
        shown = normal(tokens_[id]);
      } else if (type(id) == Type::byte) {
        const int byte = byte_of_token(tokens_[id]);
        require(byte >= 0, ErrorCode::config, where_, ": the byte token ", in_quotes(tokens_[id]),
                " does not have the form <0x00>");
        shown = static_cast<char>(byte);
      } else if (type(id) != Type::unused && type(id) != undefined) {
        shown = tokens_[id];
      }
      impl_->decoded.push_back(std::move(shown));
    }
  }

  std::optional<int32_t> id(const char* name, std::optional<int32_t> otherwise) const {
    const auto number = file_.number(key(name));
    if (!number) return otherwise && *otherwise < static_cast<int64_t>(tokens_.size()) ? otherwise : std::nullopt;
    require(*number >= 0 && *number < static_cast<int64_t>(tokens_.size()), ErrorCode::config, where_, ": ", key(name),
            " is ", *number, "; expected 0 to ", tokens_.size() - 1);
    return static_cast<int32_t>(*number);
  }

  void add_ends(bool begin, std::optional<int32_t> bos, bool end, std::optional<int32_t> eos) {
    std::vector<TemplatePiece> pieces;
    require((!begin || bos) && (!end || eos), ErrorCode::config, where_,
            ": a token is to be added before or after a text, but the file does not say which");
    if (begin) pieces.push_back({.ids = {*bos}});
    pieces.push_back({.text = 0});
    if (end) pieces.push_back({.ids = {*eos}});
    impl_->post_processor = template_processing(std::move(pieces), {});
  }

  void sentencepiece() {
    SentencePieceSpec spec{.kind = SentencePieceSpec::Kind::bpe};
    const std::vector<float> scores = file_.reals(key("scores"));
    require(scores.size() == tokens_.size(), ErrorCode::config, where_, ": ", tokens_.size(), " tokens and ",
            scores.size(), " scores; expected as many");
    // Here every token is found that is no special one and no byte. (User-defined ones are found before, in the text.)
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const bool reserved = type(i) == Type::control || type(i) == Type::unknown || type(i) == Type::byte;
      spec.pieces.push_back({std::string(tokens_[i]), scores[i], reserved ? type(i) : Type::normal});
    }
    if (std::ranges::none_of(spec.pieces, [](const SentencePiece& piece) { return piece.type == Type::unknown; }))
      if (const auto unknown = id("unknown_token_id", 0))
        spec.pieces[static_cast<size_t>(*unknown)].type = Type::unknown;
    spec.byte_fallback = std::ranges::count(types_, static_cast<int32_t>(Type::byte)) == 256;
    const bool prefix = file_.flag(key("add_space_prefix"), true);
    spec.add_dummy_prefix = prefix;
    spec.remove_extra_whitespaces = false;
    require(!file_.flag(key("remove_extra_whitespaces"), false), ErrorCode::unsupported, where_, ": ",
            key("remove_extra_whitespaces"), " is not known for this kind of tokenizer");
    impl_ = sentencepiece_tokenizer(std::move(spec), where_);
    // Bytes that are no characters become byte tokens, and are not replaced as in a .model file.
    Parts<Normalizer> steps;
    if (prefix) steps.push_back(prepend(std::string(space_symbol)));
    steps.push_back(replace(Regex::literal(" "), std::string(space_symbol)));
    impl_->normalizer = normalizers(std::move(steps));
    decode_by_type([](std::string_view token) {
      std::string text(token);
      replace_all(text, space_symbol, " ");
      return text;
    });
    Parts<TokenDecoder> decoding;
    decoding.push_back(fuse_decoder());
    if (prefix) decoding.push_back(strip_decoder(" ", 1, 0));
    impl_->decoder = decoders(std::move(decoding));
    add_tokens();
    add_ends(file_.flag(key("add_bos_token"), true), id("bos_token_id", 1), file_.flag(key("add_eos_token"), false),
             id("eos_token_id", 2));
  }

  Vocabulary vocabulary() const {
    Vocabulary vocabulary;
    for (size_t i = 0; i < tokens_.size(); ++i) vocabulary.add(tokens_[i], static_cast<int64_t>(i), where_);
    return vocabulary;
  }

  void byte_level() {
    const std::string_view name = file_.text(key("pre"), "");
    const GgufPatterns* pre = gguf_patterns(name);
    require(pre != nullptr, ErrorCode::unsupported, where_, ": the pre-tokenizer ", in_quotes(name),
            name.empty() ? " (the file names none)" : "", " is not known here, so the ids could be wrong");
    require(!file_.flag(key("normalizer.nfc"), false), ErrorCode::unsupported, where_, ": ", key("normalizer.nfc"),
            " is not known here");
    std::vector<std::pair<std::string, std::string>> merges;
    for (const std::string_view merge : file_.texts(key("merges"))) {
      const size_t blank = merge.find(' ', 1);
      require(blank != merge.npos, ErrorCode::config, where_, ": the merge ", in_quotes(merge), " has no blank");
      merges.emplace_back(merge.substr(0, blank), merge.substr(blank + 1));
    }
    impl_->kind = "BPE";
    impl_->model = std::make_unique<Bpe>(vocabulary(), merges,
                                         BpeOptions{.ignore_merges = pre->ignore_merges, .bytes = true}, where_);
    for (const std::string_view pattern : pre->patterns)
      impl_->pre_tokenizers.push_back(split(Regex(pattern), Behavior::isolated, false));
    decode_by_type([](std::string_view token) {
      std::vector<std::string> one = {std::string(token)};
      byte_level_decoder()->decode(one, true);
      return one[0];
    });
    impl_->decoder = fuse_decoder();
    add_tokens();
    add_ends(file_.flag(key("add_bos_token"), pre->add_bos), id("bos_token_id", std::nullopt),
             file_.flag(key("add_eos_token"), false), id("eos_token_id", std::nullopt));
  }

  // A word begins with a space symbol, and what continues it has no prefix.
  void bert() {
    const auto unknown = id("unknown_token_id", 100);
    require(unknown.has_value(), ErrorCode::config, where_, ": no token is for unknown words");
    const bool lower = file_.flag(key("normalizer.lowercase"), true);
    impl_->kind = "WordPiece";
    impl_->any_bytes = false;
    impl_->normalizer =
        bert_normalizer({.strip_accents = file_.flag(key("normalizer.strip_accents"), lower), .lowercase = lower});
    impl_->pre_tokenizers.push_back(split_at(is_white_space, Behavior::removed));
    impl_->pre_tokenizers.push_back(split_at(is_old_punctuation, Behavior::isolated));
    impl_->pre_tokenizers.push_back(metaspace({.prepend = Prefixed::always, .split = false}));
    WordPieceOptions options{.unk_token = std::string(tokens_[static_cast<size_t>(*unknown)]),
                             .continuing_subword_prefix = "",
                             .max_input_chars_per_word = INT64_MAX};
    impl_->model = word_piece(vocabulary(), std::move(options), where_);
    Parts<TokenDecoder> steps;
    steps.push_back(replace_decoder(Regex::literal(space_symbol), " "));
    steps.push_back(fuse_decoder());
    steps.push_back(strip_decoder(" ", 1, 0));
    steps.push_back(word_piece_decoder("", true));
    impl_->decoder = decoders(std::move(steps));
    add_tokens();
    add_ends(true, id("bos_token_id", id("cls_token_id", 101)), true, id("seperator_token_id", 102));
  }

  void rwkv() {
    Vocabulary vocabulary;
    for (size_t i = 0; i < tokens_.size(); ++i)
      if (type(i) != Type::control) vocabulary.add(unescaped(tokens_[i]), static_cast<int64_t>(i), where_);
    impl_->kind = "longest match";
    impl_->model = longest_match(std::move(vocabulary), -1, where_);
    for (const std::string_view token : tokens_) impl_->decoded.push_back(unescaped(token));
    impl_->decoder = fuse_decoder();
    add_tokens();
  }

  std::string unescaped(std::string_view text) const {
    std::string bytes;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        bytes += text[i];
        continue;
      }
      require(i + 1 < text.size(), ErrorCode::config, where_, ": the token ", in_quotes(text), " ends in an escape");
      const char c = text[++i];
      if (c == 'x') {
        const int byte = byte_of_token("<0x" + std::string(text.substr(i + 1, 2)) + ">");
        require(byte >= 0, ErrorCode::config, where_, ": the token ", in_quotes(text), " has a broken escape");
        bytes += static_cast<char>(byte);
        i += 2;
      } else {
        bytes += c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
      }
    }
    return bytes;
  }

  GgufMetadata file_;
  const std::string& where_;
  std::vector<std::string_view> tokens_;
  std::vector<int32_t> types_;
  std::shared_ptr<Tokenizer::Impl> impl_ = std::make_shared<Tokenizer::Impl>();
};

}  // namespace

std::shared_ptr<Tokenizer::Impl> read_gguf(std::string_view bytes, const std::string& where) {
  return GgufTokenizer(bytes, where).make();
}

}  // namespace statera::tokenizers
