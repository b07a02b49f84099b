// A file that is read part by part through its descriptor. It is never mapped, because a process is killed when
// somebody shortens a file that it has mapped. Owns the descriptor. read() may be called from several threads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace statera {

class InputFile {
 public:
  InputFile() = default;
  // Throws ErrorCode::io, naming the path, if the file is missing, unreadable, empty or not a regular file.
  static InputFile open(const std::string& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  // Reads the bytes [offset, offset + bytes). Throws ErrorCode::io if the file was written to since it was opened. If
  // another file was renamed over it, this object still reads the old one.
  void read(uint64_t offset, void* to, size_t bytes) const;
  // Returns the whole file. Throws ErrorCode::io if it has more than `most` bytes.
  std::string text(size_t most) const;

 private:
  std::string path_;
  int file_ = -1;
  uint64_t size_ = 0;
  int64_t changed_seconds_ = 0, changed_nanoseconds_ = 0;  // time of the last write, when the file was opened
};

}  // namespace statera
