// A file seen as memory: read-only, paged in by the system as it is touched.
#pragma once
#include <cstddef>
#include <span>
#include <string>

namespace statera {

class MappedFile {
 public:
  MappedFile() = default;
  // Throws io, naming the path, for what is missing, unreadable, empty or no regular file.
  static MappedFile open(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  // Stays where it is when the MappedFile moves. A page of zeros follows, so kernels may read a vector behind the end.
  // A file that another process shortens meanwhile raises SIGBUS: write files beside and rename them.
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0, mapped_ = 0;
};

}  // namespace statera
