// Text to tokens and back. A Tokenizer is read from a file of another project, or trained here.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "statera/units.hpp"

namespace statera {

struct EncodeOptions {
  bool specials = true;  // add the tokens of the post-processor, such as one for the beginning
  bool plain = false;    // special tokens that stand in the text are text
  bool limits = true;    // the file's truncation and padding, where it has them
};

struct Encoding {
  std::vector<int32_t> ids;       // [N]
  std::vector<int32_t> type_ids;  // [N] 0; for a pair mostly 1 in its second text
};

// A handle: copies share one immutable tokenizer. Thread-safe.
class Tokenizer {
 public:
  // Reads a whole file into memory; throws ErrorCode::io, naming it, if it cannot.
  using ReadFile = std::function<std::string(const std::string& path)>;

  // The format is told from the content, whatever the name is:
  //
  //   tokenizer.json (Hugging Face); vocab.json with merges.txt beside it (GPT-2);
  //   a SentencePiece model; an RWKV World vocabulary; a GGUF file with a tokenizer;
  //   a folder with one of these under its usual name.
  //
  // Throws ErrorCode::io for what cannot be read, ErrorCode::config for what is damaged, and ErrorCode::unsupported,
  // naming it, for what is not understood. `read` serves for files that have to be unpacked.
  static Tokenizer load(const std::string& path, const ReadFile& read = {});
  // The same for a file in memory that needs no other; `name` is for messages.
  static Tokenizer parse(std::string bytes, const std::string& name);

  // Throws ErrorCode::config if the text is not UTF-8 and the tokenizer does not take any bytes, or if it has an
  // unknown character and no token for one; ErrorCode::unsupported if a pattern of the tokenizer takes too many steps
  // on it.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  // A text and a second one, as the post-processor joins them. Throws ErrorCode::unsupported if the format of the
  // tokenizer does not say how.
  Encoding encode(std::string_view text, std::string_view pair, const EncodeOptions& options = {}) const;
  // Each text by itself, by `threads` threads.
  std::vector<Encoding> encode_all(std::span<const std::string_view> texts, const EncodeOptions& options = {},
                                   int threads = 1) const;

  // The text of ids; what is no character is U+FFFD. With skip_specials special tokens are left out. Throws
  // ErrorCode::config, naming it, for an id that is no token.
  std::string decode(std::span<const int32_t> ids, bool skip_specials = false) const;
  // The same with bytes that are no characters as they are.
  std::string decode_bytes(std::span<const int32_t> ids, bool skip_specials = false) const;

  const std::string& name() const;
  std::string_view kind() const;    // "BPE", "Unigram", ...
  int64_t vocabulary_size() const;  // the highest id plus one; some ids may be no token
  std::optional<int32_t> id_of(std::string_view token) const;
  std::optional<std::string> token_of(int32_t id) const;  // as the file spells it
  bool is_special(int32_t id) const;
  // Whether a text may be any bytes. A SentencePiece .model takes them, but replaces those that are no character.
  bool takes_any_bytes() const;
  int64_t self_tests() const;  // examples in the file that were checked when it was read

  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<const Impl> impl_;
};

// Decodes the ids of one text, one by one, and gives whole characters as soon as they are complete. Owns a handle of
// the tokenizer. Not thread safe.
class TokenStream {
 public:
  explicit TokenStream(Tokenizer tokenizer, bool skip_specials = false);
  ~TokenStream();
  TokenStream(TokenStream&&) noexcept;
  TokenStream& operator=(TokenStream&&) noexcept;

  // The characters that this id completes. Throws as Tokenizer::decode() does.
  std::string push(int32_t id);
  // The bytes that this id adds, whether or not they are whole characters. Use either this or push(), not both.
  std::string push_bytes(int32_t id);
  std::string finish();  // U+FFFD if the last character is incomplete, otherwise empty

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What a model over tokens reads. `file` is the content of a tokenizer.json, which the model's folder carries; `where`
// is for messages. ends_text() is true for every special token. Model::load takes this function
// (ModelOptions::tokenizer).
//
// The first function reads special tokens that stand in a text as text, the second as tokens. encode() throws
// ErrorCode::config, naming the place, if the tokens do not give the text back byte by byte: the cost per byte would
// then be that of other bytes. Throws as Tokenizer::parse does, and ErrorCode::unsupported for another format.
std::shared_ptr<const Units> token_units(std::string file, const std::string& where);
std::shared_ptr<const Units> token_units_with_specials(std::string file, const std::string& where);

struct TokenizerTrainingOptions {
  int64_t vocabulary = 8192;  // ids, 257 to 1,000,000: 256 for the bytes, one for <|endoftext|>, the others for merges
  int threads = 1;            // the result does not depend on it
  // Words that are counted at a time. If a text has more different ones, rare ones are forgotten, so that the memory
  // is bounded: about 100 bytes each, and as much again while merges are made.
  int64_t most_words = int64_t{1} << 22;
  // Called now and then with what was done of what there is to do; what it throws ends the training.
  std::function<void(int64_t bytes_read, int64_t merges, int64_t merges_wanted)> progress = {};
};

// Trains a byte-level BPE tokenizer: words are those of GPT-2's pattern, cut after 4,096 bytes, and the pair of
// neighbours that is most frequent is merged next; of equal ones the one with the lower ids. Deterministic. Not
// thread-safe.
class TokenizerTrainer {
 public:
  explicit TokenizerTrainer(const TokenizerTrainingOptions& options);  // throws ErrorCode::config for wrong options
  ~TokenizerTrainer();
  TokenizerTrainer(const TokenizerTrainer&) = delete;
  TokenizerTrainer& operator=(const TokenizerTrainer&) = delete;

  void add(std::string_view document);
  // A document that need not be in memory as a whole: its pieces, cut anywhere and of any size, and then its end. It
  // counts as the whole would; up to 32 MiB of it are kept here.
  void add_piece(std::string_view piece);
  void end_document();  // add() and finish() do it, too
  // The tokenizer, as a tokenizer.json. It has fewer ids than wanted if no pair of neighbours occurs twice any more.
  // The special token <|endoftext|> has the highest id. Throws ErrorCode::config if there was no text.
  std::string finish();
  int64_t forgotten() const;  // words that were, counted each time

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace statera
