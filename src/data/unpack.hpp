// Reading a file as bytes, packed (.gz, .xz, .zst) or plain.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace statera {

bool is_packed(std::string_view path);  // by the end of its name
std::string_view packed_by(std::span<const uint8_t> bytes);  // by their beginning: "gzip", "xz", "zstd"; empty: none of these

// Throws io if the file is truncated, corrupt, or grows beyond `limit` bytes.
std::vector<uint8_t> unpack(const std::string& path, size_t limit);
std::vector<uint8_t> read_to_end(int descriptor, const std::string& name, size_t limit);

// Read-only memory of an open file; empty() if the system does not map it. The file must not shrink meanwhile.
class Mapping {
 public:
  Mapping(int descriptor, size_t bytes);
  Mapping(Mapping&& other) noexcept : bytes_(other.bytes_) { other.bytes_ = {}; }
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping();
  std::span<const uint8_t> bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }

 private:
  std::span<const uint8_t> bytes_;
};

// A file name for a message of one line: control characters become '?'.
std::string shown(std::string_view path);

}  // namespace statera
