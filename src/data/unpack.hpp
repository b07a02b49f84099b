// Reads all bytes of a file, pipe or device, and unpacks them if they are packed: into memory, or piece by piece.
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

#include "core/function_ref.hpp"

namespace statera {

// A byte array of unknown final size. It grows by realloc, which moves pages instead of copying them, so that a large
// text is in memory only once. Owns the bytes; a span of them is valid until the next room() or fit(). Not thread safe.
class ByteBuffer {
 public:
  std::span<const uint8_t> bytes() const { return {data_.get(), size_}; }
  size_t size() const { return size_; }
  std::span<uint8_t> room(size_t least);      // at least `least` writable bytes after the end; throws std::bad_alloc
  void add(size_t count) { size_ += count; }  // appends the first `count` bytes that were written to room()
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

// How long reading may take and how far it has come. One object serves all inputs of a source.
struct Reading {
  using Clock = std::chrono::steady_clock;
  Clock::time_point end = Clock::time_point::max();
  std::function<void()> often = {};  // called at least ten times per second; what it throws ends the reading
  bool begun = false;      // whether any bytes have come; until then an input is tried once even if the time is up
  size_t most = SIZE_MAX;  // bytes still wanted
  // the input at which reading stopped because of `end` or `most`; empty: it has not
  std::string cut = {};

  bool time_is_up() const { return end != Clock::time_point::max() && Clock::now() >= end; }
};

// Reads an open descriptor to its end, in one pass. Data that begin as gzip, xz or zstd are unpacked, whatever the
// name, and every checksum must hold. When the time is up, or enough bytes have come, it returns what it has. Throws
// ErrorCode::io, naming `path`, if the data are truncated, corrupt, packed in another format, not packed though the
// name says so, shorter than when the file was opened, or more than `limit` bytes.
ByteBuffer read_bytes(int descriptor, const std::string& path, size_t limit, Reading& reading);
// The same for data of any size: calls `use` with the bytes, one piece (of at most 1 MiB) after the other, and keeps
// none. Returns how many bytes that were. An error may come after pieces that were used.
using UsePiece = FunctionRef<void(std::span<const uint8_t> piece)>;
size_t read_pieces(int descriptor, const std::string& path, Reading& reading, UsePiece use);
// Returns the bytes as they are, however long it takes.
ByteBuffer read_plain(int descriptor, const std::string& path, size_t limit);

std::string_view packed_suffix(std::string_view path);  // ".gz" for "a.GZ"; empty if the name promises no packing

}  // namespace statera
