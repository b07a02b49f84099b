// The parts of a tokenizer, in the order in which a text passes them: normalizer, pre-tokenizer, model, post-processor;
// and the decoder on the way back. The readers of file formats make them (parts_json.cpp and others). All parts are
// immutable once the tokenizer is put together, and thread-safe.
#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/function_ref.hpp"

namespace statera::tokenizers {

// The largest size of a text on its way through the parts. The rules of a file may ask for more (replacements of
// replacements).
constexpr size_t most_text_bytes = size_t{1} << 31;

// A text, and how many of its first bytes come from the first character of the input. (Whether a piece begins the input
// decides about a prefix, and normalizers may have removed what stood before it.)
struct Text {
  std::string bytes;
  size_t from_first = 0;
};

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void normalize(Text& text) const = 0;
};

// A part of Pieces::text: bytes [begin, end). `first_ends` is where the bytes that come from the first character of the
// input end. A piece with an id is a token already; pre-tokenizer and model leave it alone.
struct Piece {
  size_t begin, end, first_ends = 0;
  int32_t id = -1;
  bool begins_input() const { return begin < first_ends; }
};

struct Pieces {
  std::string text;
  std::vector<Piece> pieces;
  std::string_view operator[](const Piece& piece) const {
    return std::string_view(text).substr(piece.begin, piece.end - piece.begin);
  }
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void split(Pieces& pieces) const = 0;
};

// Turns one piece into ids. Every vocabulary gives its tokens by id, too.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // With `plain` no special token comes out, though its text may be in the vocabulary, but for the one that stands for
  // what is unknown. Throws ErrorCode::config, naming it, if a piece has no ids without one.
  virtual void encode(std::string_view piece, bool plain, std::vector<int32_t>& ids) const = 0;
  // Which tokens are special. Called once, when the tokenizer is put together.
  virtual void set_specials(const std::unordered_set<int32_t>& ids) {
    for (const int32_t id : ids) {
      if (id < 0 || id > highest_id()) continue;
      specials_.resize(static_cast<size_t>(highest_id()) + 1);
      specials_[static_cast<size_t>(id)] = true;
    }
  }
  virtual std::optional<int32_t> id_of(std::string_view token) const = 0;
  virtual std::optional<std::string_view> token_of(int32_t id) const = 0;
  virtual int64_t size() const = 0;  // tokens
  virtual int32_t highest_id() const = 0;
  // The token as the decoder gets it.
  virtual std::optional<std::string_view> shown(int32_t id) const { return token_of(id); }
  // Whether encode() of a piece depends on its bytes and on `plain` alone and takes long enough to be remembered.
  virtual bool worth_remembering() const { return true; }

 protected:
  bool is_special(int32_t id) const { return !specials_.empty() && specials_[static_cast<size_t>(id)]; }
  bool has_specials() const { return !specials_.empty(); }

 private:
  std::vector<bool> specials_;  // by id; empty: none of the vocabulary is special
};

struct Encoded {
  std::vector<int32_t> ids, type_ids;
};

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  // `parts`: one for a text, two for a pair; they are joined afterwards. With `specials` tokens are added.
  virtual void process(std::vector<Encoded>& parts, bool specials) const = 0;
  virtual int64_t added(bool pair) const = 0;  // how many tokens it adds
};

class TokenDecoder {
 public:
  virtual ~TokenDecoder() = default;
  // Replaces tokens by text; a token may be joined with others or dropped. With `raw`, bytes that are no character stay
  // as they are; without it they become U+FFFD.
  virtual void decode(std::vector<std::string>& tokens, bool raw) const = 0;
};

// What stands in a file beside the parts.
struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool single_word = false, lstrip = false, rstrip = false, normalized = false, special = false;
};

enum class Side { left, right };

struct Truncation {
  enum class Strategy { longest_first, only_first, only_second };
  Side direction = Side::right;
  Strategy strategy = Strategy::longest_first;
  int64_t max_length = 0, stride = 0;
};

struct Padding {
  int64_t fixed = -1;  // negative: to the longest of the batch, which is the row itself
  int64_t multiple_of = 0;
  Side direction = Side::right;
  int32_t id = 0, type_id = 0;
};

// A part that is a list of others.
template <class Part>
using Parts = std::vector<std::unique_ptr<const Part>>;

}  // namespace statera::tokenizers
