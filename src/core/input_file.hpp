// A file of ours that is read through its descriptor, a part at a time. It is never mapped: who shortens a mapped file
// ends the process.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace statera {

class InputFile {
 public:
  InputFile() = default;
  // Throws io, naming the path, for what is missing, unreadable, empty or no regular file.
  static InputFile open(const std::string& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }
  // Bytes [offset, offset + bytes) of the file as it was when it was opened; throws io if it was written to since. A
  // file that is replaced by a rename stays the old one here.
  void read(uint64_t offset, void* to, size_t bytes) const;
  // All of it. Throws io if it has more than `most` bytes.
  std::string text(size_t most) const;

 private:
  std::string path_;
  int file_ = -1;
  uint64_t size_ = 0;
  int64_t changed_seconds_ = 0, changed_nanoseconds_ = 0;  // when it was last written to
};

}  // namespace statera
