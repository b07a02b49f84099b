#include "core/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.hpp"

namespace statera {

MappedFile MappedFile::open(const std::string& path) {
  struct Descriptor {
    int fd;
    ~Descriptor() {
      if (fd >= 0) ::close(fd);
    }
  };
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};  // a pipe must not wait for its writer
  require(file.fd >= 0, ErrorCode::io, path, ": cannot open: ", std::strerror(errno));
  struct stat status;
  require(::fstat(file.fd, &status) == 0, ErrorCode::io, path, ": cannot read: ", std::strerror(errno));
  require(!S_ISDIR(status.st_mode), ErrorCode::io, path, ": expected a file, got a folder");
  require(S_ISREG(status.st_mode), ErrorCode::io, path, ": expected a regular file, got a pipe or device");
  require(status.st_size > 0, ErrorCode::io, path, ": the file is empty");

  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const auto size = static_cast<size_t>(status.st_size);
  const size_t mapped = (size + page - 1) / page * page + page;
  void* const place = ::mmap(nullptr, mapped, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  require(place != MAP_FAILED, ErrorCode::io, path, ": cannot map ", size, " bytes: ", std::strerror(errno));
  MappedFile result;
  result.data_ = static_cast<const std::byte*>(place);
  result.size_ = size;
  result.mapped_ = mapped;
  require(::mmap(place, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, file.fd, 0) != MAP_FAILED, ErrorCode::io, path, ": cannot map ", size,
          " bytes: ", std::strerror(errno));
  return result;
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), mapped_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), mapped_(std::exchange(other.mapped_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

}  // namespace statera
