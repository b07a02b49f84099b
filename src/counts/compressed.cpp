#include "counts/compressed.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/check.hpp"
#include "io/printable.hpp"

namespace statera {

namespace {

// The first byte is no text in any encoding, and a transfer that rewrites line ends damages the rest.
constexpr std::array<uint8_t, 8> magic{0xf5, 'S', 't', 'a', 't', 'r', '\r', '\n'};
// Change with the format and with everything that makes the counts, or the kernels of a predictor, say something else.
constexpr uint16_t version_of_counts = 6, version_of_predictors = 7;
constexpr uint8_t alone = 0, with_predictor = 1;  // modes
constexpr uint32_t longest_description = 4096;
constexpr uint64_t unknown = UINT64_MAX;
constexpr uint32_t block_bytes = 1 << 18;
constexpr uint32_t code_bytes(uint32_t data) { return data * 16 + 16; }  // no bit costs more than 16

template <class T>
std::array<uint8_t, sizeof(T)> bytes_of(T value) {
  std::array<uint8_t, sizeof(T)> bytes;
  for (size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<uint8_t>(value >> (8 * i));
  return bytes;
}

// A model for short data needs less than one for long ones: a byte makes 81 rows, of which seven share 64 bytes.
int64_t memory_for(const CompressOptions& options) {
  constexpr uint64_t least = uint64_t{16} << 20, per_byte = 1024;
  const auto allowed = static_cast<uint64_t>(std::max<int64_t>(options.memory_bytes, 0));
  if (!options.length || *options.length > allowed / per_byte) return options.memory_bytes;
  return static_cast<int64_t>(std::min(allowed, least + *options.length * per_byte));
}

void begin_byte(Counts& model, Predictor* predictor) {
  if (!predictor) return model.begin_byte();
  const std::array outside{predictor->next()};
  model.begin_byte(outside);
}

}  // namespace

Compressor::Compressor(const CompressOptions& options, Sink sink)
    : sink_(std::move(sink)),
      length_(options.length),
      predictor_(options.predictor),
      model_({.memory_bytes = memory_for(options), .outside = options.predictor ? 1 : 0}) {
  put(magic), put(bytes_of(predictor_ ? version_of_predictors : version_of_counts)),
      put(std::array{predictor_ ? with_predictor : alone, uint8_t{0}});
  put(bytes_of(static_cast<uint64_t>(model_.options().memory_bytes)));
  put(bytes_of(length_.value_or(unknown)));
  if (predictor_) {
    const std::string description = predictor_->description();
    require(description.size() <= longest_description, ErrorCode::config, "the description of the predictor has ",
            description.size(), " bytes; at most ", longest_description, " are stored");
    put(bytes_of(static_cast<uint32_t>(description.size())));
    put({reinterpret_cast<const uint8_t*>(description.data()), description.size()});
  }
  put_checksum();
}

void Compressor::put(std::span<const uint8_t> bytes) {
  checksum_.add(bytes.data(), bytes.size());
  written_ += bytes.size();
  sink_(bytes);
}

void Compressor::put_checksum() { put(bytes_of(checksum_.value())); }

void Compressor::add(std::span<const uint8_t> data) {
  for (const uint8_t byte : data) {
    begin_byte(model_, predictor_);
    for (int shift = 7; shift >= 0; --shift) {
      const bool one = byte >> shift & 1;
      encoder_.code(model_.p(), one);
      model_.update(one);
    }
    if (predictor_) predictor_->read(byte);
    block_.push_back(byte);
    ++read_;
    if (block_.size() == block_bytes) flush();
  }
}

void Compressor::flush() {
  const std::vector<uint8_t> code = encoder_.finish();
  put(bytes_of(static_cast<uint32_t>(block_.size())));
  put(bytes_of(static_cast<uint32_t>(code.size())));
  put(code);
  checksum_.add(block_.data(), block_.size());
  put_checksum();
  block_.clear();
}

void Compressor::finish() {
  require(!length_ || read_ == *length_, ErrorCode::io, "the data were to have ", length_.value_or(0), " bytes, but ",
          read_, " came: were they written to meanwhile? Try again");
  if (!block_.empty()) flush();
  put(bytes_of(uint32_t{0})), put(bytes_of(read_));
  put_checksum();
}

Decompressor::Decompressor(Source source, DecompressOptions options)
    : source_(std::move(source)), options_(std::move(options)) {
  std::array<uint8_t, magic.size()> begin{};
  size_t got = 0;
  while (got < begin.size()) {
    const size_t more = source_(std::span(begin).subspan(got));
    if (more == 0) break;
    got += more;
  }
  require(got > 0, ErrorCode::io, printable(options_.name), ": is empty: expected what statera compress wrote");
  require(std::equal(begin.begin(), begin.begin() + static_cast<std::ptrdiff_t>(got), magic.begin()), ErrorCode::io,
          printable(options_.name), ": was not written by statera compress: it begins differently");
  if (got < begin.size()) damaged("it is cut off in its header");
  checksum_.add(begin.data(), begin.size());
  read_ = got;
  const auto found = number<uint16_t>();
  require(found == version_of_counts || found == version_of_predictors, ErrorCode::io, printable(options_.name),
          ": has version ", found, " of the format, this program reads ", version_of_counts, " and ",
          version_of_predictors, ": take the statera that wrote it");
  const auto mode = number<uint8_t>(), zero = number<uint8_t>();
  const auto memory = number<uint64_t>(), length = number<uint64_t>();
  std::string description;
  if (mode == with_predictor) {
    const auto size = number<uint32_t>();
    if (size > longest_description) damaged("the description of its model has " + std::to_string(size) + " bytes");
    description.resize(size);
    take({reinterpret_cast<uint8_t*>(description.data()), size});
  }
  check();
  require(mode == (found == version_of_predictors ? with_predictor : alone) && zero == 0, ErrorCode::io,
          printable(options_.name), ": has the unknown mode ", int{mode}, ": take the statera that wrote it");
  if (memory > static_cast<uint64_t>(INT64_MAX)) damaged("the memory of its model is out of range");
  if (length != unknown) length_ = length;
  options_.check_memory(static_cast<int64_t>(memory));
  if (mode == with_predictor) {
    require(static_cast<bool>(options_.predictor), ErrorCode::io, printable(options_.name),
            ": was compressed with a model; name its folder");
    predictor_ = options_.predictor(description);
  }
  model_.emplace(CountsOptions{.memory_bytes = static_cast<int64_t>(memory), .outside = predictor_ ? 1 : 0});
}

void Decompressor::damaged(const std::string& what) const {
  fail(ErrorCode::io, printable(options_.name), ": is damaged: ", what, "; fetch it again, or compress the data again",
       predictor_ ? "; or it was written by another version of statera" : "");
}

void Decompressor::take(std::span<uint8_t> bytes) {
  for (std::span<uint8_t> left = bytes; !left.empty();) {
    const size_t got = source_(left);
    if (got == 0) damaged("it is cut off after " + std::to_string(read_) + " bytes");
    left = left.subspan(got);
    read_ += got;
  }
  checksum_.add(bytes.data(), bytes.size());
}

template <class T>
T Decompressor::number() {
  std::array<uint8_t, sizeof(T)> bytes;
  take(bytes);
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= uint64_t{bytes[i]} << (8 * i);
  return static_cast<T>(value);
}

void Decompressor::check() {
  const uint64_t wanted = checksum_.value();
  if (number<uint64_t>() != wanted) damaged("the checksum before its byte " + std::to_string(read_) + " is wrong");
}

std::span<const uint8_t> Decompressor::next() {
  block_.clear();
  if (ended_) return {};
  const auto size = number<uint32_t>();
  if (size == 0) {
    end();
    return {};
  }
  if (size > block_bytes) damaged("a block has " + std::to_string(size) + " bytes");
  const auto code_size = number<uint32_t>();
  if (code_size > code_bytes(size)) damaged("the code of a block has " + std::to_string(code_size) + " bytes");
  code_.resize(code_size);
  take(code_);
  counts::Decoder decoder(code_);
  decoding_ = true;
  for (uint32_t i = 0; i < size; ++i) {
    if (predictor_ || i % 1024 == 0) options_.often();
    block_.push_back(decode(decoder));
  }
  checksum_.add(block_.data(), block_.size());
  check();
  written_ += size;
  decoding_ = false;
  return block_;
}

uint8_t Decompressor::decode(counts::Decoder& decoder) try {
  begin_byte(*model_, predictor_.get());
  uint32_t byte = 0;
  for (int bit = 0; bit < 8; ++bit) {
    const bool one = decoder.decode(model_->p());
    model_->update(one);
    byte = byte << 1 | (one ? 1u : 0u);
  }
  if (predictor_) predictor_->read(static_cast<uint8_t>(byte));
  return static_cast<uint8_t>(byte);
} catch (const Error& error) {
  // What was compressed was predicted before, so the predictor has read something else.
  if (error.code() != ErrorCode::numeric) throw;
  damaged(error.what());
}

void Decompressor::end() {
  const auto length = number<uint64_t>();
  check();
  if (length != written_ || length_.value_or(length) != length) damaged("the data do not have the length that it says");
  std::array<uint8_t, 1> more;
  if (source_(more) != 0) damaged("something follows after its end");
  ended_ = true;
}

}  // namespace statera
