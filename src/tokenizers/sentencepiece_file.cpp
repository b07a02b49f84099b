// A SentencePiece .model: a message of protocol buffers.
#include <bit>
#include <cstring>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"
#include "tokenizers/sentencepiece.hpp"

namespace statera::tokenizers {

namespace {

// Reads the fields of one message, in their order.
class Message {
 public:
  Message(std::string_view bytes, const std::string& where) : rest_(bytes), where_(where) {}

  bool next() {
    if (rest_.empty()) return false;
    const uint64_t key = varint();
    field_ = key >> 3;
    switch (wire_ = key & 7) {
      case 0:
        number_ = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        bytes_ = take(varint());
        break;
      case 5:
        bytes_ = take(4);
        break;
      default:
        fail(ErrorCode::config, where_, ": the file is damaged (wire type ", wire_, "); fetch it again");
    }
    return true;
  }
  uint64_t field() const { return field_; }
  uint64_t number() const { return check(0), number_; }
  bool flag() const { return number() != 0; }
  std::string_view bytes() const { return check(2), bytes_; }
  Message message() const { return Message(bytes(), where_); }
  float real() const {
    check(5);
    uint32_t bits;
    std::memcpy(&bits, bytes_.data(), sizeof bits);
    return std::bit_cast<float>(bits);
  }

 private:
  void check(uint64_t wire) const {
    require(wire_ == wire, ErrorCode::config, where_, ": field ", field_, " has wire type ", wire_, "; expected ",
            wire);
  }
  std::string_view take(uint64_t size) {
    require(size <= rest_.size(), ErrorCode::config, where_, ": the file is cut; fetch it again");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint64_t byte = static_cast<uint8_t>(take(1)[0]);
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail(ErrorCode::config, where_, ": the file is damaged (a number without end); fetch it again");
  }

  std::string_view rest_;
  const std::string& where_;
  uint64_t field_ = 0, wire_ = 0, number_ = 0;
  std::string_view bytes_;
};

SentencePiece read_piece(Message message, const std::string& where) {
  SentencePiece piece;
  while (message.next()) {
    if (message.field() == 1) piece.text = message.bytes();
    if (message.field() == 2) piece.score = message.real();
    if (message.field() != 3) continue;
    require(message.number() >= 1 && message.number() <= 6, ErrorCode::unsupported, where, ": the piece ",
            in_quotes(piece.text), " has the type ", message.number(), "; known are 1 to 6");
    piece.type = static_cast<SentencePiece::Type>(message.number());
  }
  return piece;
}

void read_trainer(Message message, SentencePieceSpec& spec, const std::string& where) {
  while (message.next()) switch (message.field()) {
      case 3:
        require(message.number() >= 1 && message.number() <= 4, ErrorCode::unsupported, where, ": the model type ",
                message.number(), " is not known; expected 1 to 4 (unigram, bpe, word, char)");
        spec.kind = static_cast<SentencePieceSpec::Kind>(message.number());
        break;
      case 24:
        spec.treat_whitespace_as_suffix = message.flag();
        break;
      case 35:
        spec.byte_fallback = message.flag();
        break;
      case 44:
        spec.unk_surface = message.bytes();
        break;
      default:
        break;  // how it was trained
    }
}

void read_normalizer(Message message, SentencePieceSpec& spec, const std::string& where) {
  while (message.next()) switch (message.field()) {
      case 1:
      case 6:
        break;  // what the charsmap was made from
      case 2:
        spec.charsmap = Charsmap(message.bytes(), where);
        break;
      case 3:
        spec.add_dummy_prefix = message.flag();
        break;
      case 4:
        spec.remove_extra_whitespaces = message.flag();
        break;
      case 5:
        spec.escape_whitespaces = message.flag();
        break;
      default:
        fail(ErrorCode::unsupported, where, ": field ", message.field(), " of its normalizer is not known here");
    }
}

struct Sample {
  std::string input, expected;  // expected: the pieces, joined by blanks
};

Sample read_sample(Message message) {
  Sample sample;
  while (message.next()) {
    if (message.field() == 1) sample.input = message.bytes();
    if (message.field() == 2) sample.expected = message.bytes();
  }
  return sample;
}

void run_self_test(const Tokenizer::Impl& impl, const std::vector<Sample>& samples) {
  for (const Sample& sample : samples) {
    Encoded encoded;
    impl.encode_text(sample.input, {}, encoded);
    std::string got;
    for (const int32_t id : encoded.ids) (got += got.empty() ? "" : " ") += impl.model->token_of(id).value_or("");
    require(got == sample.expected, ErrorCode::config, impl.name, ": its self-test fails: ", in_quotes(sample.input),
            " became ", in_quotes(got), "; expected ", in_quotes(sample.expected));
  }
}

}  // namespace

std::shared_ptr<Tokenizer::Impl> read_sentencepiece(std::string_view bytes, const std::string& where) {
  SentencePieceSpec spec;
  std::vector<Sample> samples;
  bool trainer = false;
  Message message(bytes, where);
  while (message.next()) switch (message.field()) {
      case 1:
        spec.pieces.push_back(read_piece(message.message(), where));
        break;
      case 2:
        read_trainer(message.message(), spec, where);
        trainer = true;
        break;
      case 3:
        read_normalizer(message.message(), spec, where);
        break;
      case 4:
        for (Message inner = message.message(); inner.next();)
          if (inner.field() == 1) samples.push_back(read_sample(inner.message()));
        break;
      case 5:
        for (Message inner = message.message(); inner.next();)
          require(inner.field() != 2 || inner.bytes().empty(), ErrorCode::unsupported, where,
                  ": it changes text after decoding (a denormalizer), which is not known here");
        break;
      default:
        fail(ErrorCode::unsupported, where, ": field ", message.field(), " of the model is not known here");
    }
  // Without it nobody knows which kind of model it is. It stands behind the pieces, so a file that was cut lacks it.
  require(trainer, ErrorCode::io, where, ": has no trainer_spec: the file is cut, or was not written by SentencePiece");
  auto impl = sentencepiece_tokenizer(std::move(spec), where);
  run_self_test(*impl, samples);
  impl->self_tests = static_cast<int64_t>(samples.size());
  return impl;
}

}  // namespace statera::tokenizers
