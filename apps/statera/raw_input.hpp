// A file, a pipe or standard input, read as it is, piece by piece.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace statera::cli {

// Owns its descriptor. Not thread safe.
class RawInput {
 public:
  // "-": standard input. Throws ErrorCode::io, naming the path, for what cannot be opened and for a folder; UsageError
  // for "-" on a terminal. No output may replace the file afterwards (core/inputs.hpp).
  explicit RawInput(const std::string& path);
  ~RawInput();
  RawInput(const RawInput&) = delete;
  RawInput& operator=(const RawInput&) = delete;

  const std::string& name() const { return name_; }  // for messages
  // The bytes to come of a regular file; nothing for a pipe or a device.
  std::optional<uint64_t> length() const { return length_; }
  // Returns how many bytes were read, 0 at the end. Throws Interrupted when an Interrupt was asked to stop, also while
  // it waits.
  size_t read(std::span<uint8_t> to);

 private:
  std::string name_;
  int file_ = -1;
  std::optional<uint64_t> length_;
};

}  // namespace statera::cli
