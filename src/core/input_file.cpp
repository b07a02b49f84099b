#include "core/input_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.hpp"
#include "core/inputs.hpp"

namespace statera {

InputFile InputFile::open(const std::string& path) {
  InputFile result;
  result.path_ = path;
  // O_NONBLOCK: opening a pipe must not wait for its writer
  result.file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  require(result.file_ >= 0, ErrorCode::io, path, ": cannot open: ", std::strerror(errno));
  struct stat status;
  // before errno is read, since arguments of a call are evaluated in any order
  const int told = ::fstat(result.file_, &status);
  require(told == 0, ErrorCode::io, path, ": cannot read: ", std::strerror(errno));
  require(!S_ISDIR(status.st_mode), ErrorCode::io, path, ": expected a file, got a folder");
  require(S_ISREG(status.st_mode), ErrorCode::io, path, ": expected a regular file, got a pipe or device");
  require(status.st_size > 0, ErrorCode::io, path, ": the file is empty");
  note_input(result.file_);
  result.size_ = static_cast<uint64_t>(status.st_size);
  result.changed_seconds_ = status.st_mtim.tv_sec;
  result.changed_nanoseconds_ = status.st_mtim.tv_nsec;
  return result;
}

InputFile::~InputFile() {
  if (file_ >= 0) ::close(file_);
}

InputFile::InputFile(InputFile&& other) noexcept { *this = std::move(other); }

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(size_, other.size_);
  std::swap(changed_seconds_, other.changed_seconds_);
  std::swap(changed_nanoseconds_, other.changed_nanoseconds_);
  return *this;
}

void InputFile::read(uint64_t offset, void* to, size_t bytes) const {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::pread(file_, static_cast<char*>(to) + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    require(got >= 0, ErrorCode::io, path_, ": cannot read: ", std::strerror(errno));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  struct stat status;
  const bool same = ::fstat(file_, &status) == 0 && static_cast<uint64_t>(status.st_size) == size_ &&
                    status.st_mtim.tv_sec == changed_seconds_ && status.st_mtim.tv_nsec == changed_nanoseconds_;
  require(done == bytes && same, ErrorCode::io, path_,
          ": the file was written to while it was read; try again when that is done");
}

std::string InputFile::text(size_t most) const {
  require(size_ <= most, ErrorCode::io, path_, ": ", size_, " bytes, expected at most ", most);
  std::string text(size_, '\0');
  read(0, text.data(), text.size());
  return text;
}

}  // namespace statera
