// Compressed data: what `statera compress` writes. Counts predict each byte, and an arithmetic coder writes what is
// left.
//
// The format, version 6 in mode 0 and 7 in mode 1; numbers lie least significant byte first:
//
//   header  8 bytes magic, u16 version, u8 mode (0: counts alone, 1: counts and a predictor), u8 0, u64 memory of the
//           counts, u64 length of the data (all ones: not known beforehand); in mode 1 u32 size of the predictor's
//           description (at most 4096) and the description; u64 checksum
//   block   u32 bytes of data (1 to 2^18), u32 bytes of code, the code, u64 checksum; any number of these data blocks
//   end     u32 0, u64 length of the data, u64 checksum
//
// A checksum is that of everything so far, data and code, so that data blocks cannot be left out or change places.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/fingerprint.hpp"
#include "counts/coder.hpp"
#include "counts/counts.hpp"

namespace statera {

// Another model that predicts the next byte and learns it, such as a neural network. Its probabilities must have the
// same bits when the data are decompressed, on any machine. Calls alternate: next(), then read(). Not thread safe.
class Predictor {
 public:
  virtual ~Predictor() = default;
  // What tells the predictor for decompressing how to be the same; stored in the header, at most 4096 bytes.
  virtual std::string description() const = 0;
  virtual std::span<const float, 256> next() = 0;  // the probability of each value of the next byte
  virtual void read(uint8_t byte) = 0;
};

struct CompressOptions {
  int64_t memory_bytes = CountsOptions{}.memory_bytes;  // the most the model may use; less is taken for short data
  std::optional<uint64_t> length;                       // of the data, if it is known
  Predictor* predictor = nullptr;                       // borrowed; null: the counts are alone
};

// Owns its counts; borrows the predictor. Not thread safe.
class Compressor {
 public:
  using Sink = std::function<void(std::span<const uint8_t>)>;

  // Gives everything that it writes to `sink`, beginning with the header. Throws ErrorCode::config for memory out of
  // range.
  Compressor(const CompressOptions& options, Sink sink);
  void add(std::span<const uint8_t> data);
  // Throws ErrorCode::io if the data do not have the length that was promised.
  void finish();

  uint64_t read() const { return read_; }
  uint64_t written() const { return written_; }

 private:
  void put(std::span<const uint8_t> bytes);
  void put_checksum();
  void flush();

  Sink sink_;
  std::optional<uint64_t> length_;
  Predictor* predictor_;
  Counts model_;
  counts::Encoder encoder_;
  std::vector<uint8_t> block_;  // the bytes of the current data block
  Checksum checksum_;
  uint64_t read_ = 0, written_ = 0;
};

struct DecompressOptions {
  std::string name = "the data";  // for messages
  // asked before the model is made; throws if there is not so much memory
  std::function<void(int64_t bytes)> check_memory = [](int64_t) {};
  std::function<void()> often = [] {};  // called several times per second; what it throws ends the work
  // Makes the predictor that the description is of; throws if that cannot be. Empty: data that need one are an error.
  std::function<std::unique_ptr<Predictor>(const std::string& description)> predictor;
};

// Owns its counts and the predictor. Not thread safe.
class Decompressor {
 public:
  // Fills the span, or its beginning, and returns the number of bytes; 0: the end.
  using Source = std::function<size_t(std::span<uint8_t>)>;

  // Reads the header. Throws ErrorCode::io, like next(), if the data are not those of `statera compress`, have another
  // version, are cut or damaged.
  Decompressor(Source source, DecompressOptions options = {});
  // The data of the next data block, which have been checked; valid until the next call. Empty after the last one.
  std::span<const uint8_t> next();

  std::optional<uint64_t> length() const { return length_; }  // of the data, if the header has it
  bool predicted() const { return predictor_ != nullptr; }    // whether they were compressed with a predictor
  uint64_t read() const { return read_; }                     // compressed bytes so far
  uint64_t written() const { return written_; }
  // The bytes so far, with those of the data block that next() is decoding.
  uint64_t decoded() const { return written_ + (decoding_ ? block_.size() : 0); }

 private:
  template <class T>
  T number();
  void take(std::span<uint8_t> bytes);
  void check();
  void end();
  uint8_t decode(counts::Decoder& decoder);
  [[noreturn]] void damaged(const std::string& what) const;

  Source source_;
  DecompressOptions options_;
  std::optional<uint64_t> length_;
  std::unique_ptr<Predictor> predictor_;
  std::optional<Counts> model_;
  std::vector<uint8_t> block_, code_;
  Checksum checksum_;
  uint64_t read_ = 0, written_ = 0;
  bool ended_ = false, decoding_ = false;
};

}  // namespace statera
