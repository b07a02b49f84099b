// All bytes of a file, pipe or device, unpacked where they are packed.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace statera {

// Bytes in memory whose number is not known before. It grows by realloc, which moves pages and does not copy them, so
// that a large text stands in memory once.
class ByteBuffer {
 public:
  std::span<const uint8_t> bytes() const { return {data_.get(), size_}; }
  size_t size() const { return size_; }
  std::span<uint8_t> room(size_t least);      // behind the end, at least so much. Throws std::bad_alloc
  void add(size_t count) { size_ += count; }  // so many of them were written
  void keep(size_t most) { size_ = std::min(size_, most); }
  void fit();

 private:
  void resize(size_t capacity);
  struct Free {
    void operator()(uint8_t* p) const { std::free(p); }
  };
  std::unique_ptr<uint8_t, Free> data_;
  size_t size_ = 0, capacity_ = 0;
};

// How long reading may take, and how far it has come, for all inputs of a source.
struct Reading {
  using Clock = std::chrono::steady_clock;
  Clock::time_point end = Clock::time_point::max();
  std::function<void()> often = {};  // ten times a second at the fewest; what it throws ends the reading
  bool begun = false;      // something has come; until then one look is taken at an input even where the time is up
  size_t most = SIZE_MAX;  // bytes that are still wanted
  // the input within or before which the time was up, or all that are wanted were there; empty: none
  std::string cut = {};

  bool time_is_up() const { return end != Clock::time_point::max() && Clock::now() >= end; }
};

// Reads to the end, from one opened descriptor and in one pass. What begins as gzip, xz or zstd data is unpacked,
// whatever its name; every checksum must hold. Throws io, naming `path`, for what is truncated, corrupt, packed in
// another way, unpacked under a packed file's name, shorter than it was when it was opened, or holds more than `limit`
// bytes. Where the time is up, or as many bytes came as are wanted, what has come so far is all.
ByteBuffer read_bytes(int descriptor, const std::string& path, size_t limit, Reading& reading);
// the bytes as they are, however long it takes
ByteBuffer read_plain(int descriptor, const std::string& path, size_t limit);

std::string_view packed_suffix(std::string_view path);  // ".gz" of "a.GZ"; empty where a name promises none

}  // namespace statera
