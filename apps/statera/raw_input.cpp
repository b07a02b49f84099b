#include "raw_input.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common.hpp"
#include "core/inputs.hpp"
#include "io/atomic_file.hpp"
#include "io/printable.hpp"
#include "statera/error.hpp"
#include "verbs.hpp"

namespace statera::cli {

RawInput::RawInput(const std::string& path) : name_(path == "-" ? "the standard input" : printable(path)) {
  if (path == "-" && is_terminal(0))
    throw UsageError("'-' reads from standard input, which is a terminal; pipe something in");
  // Opening a pipe waits for its writer, until a signal comes.
  const int opened = path == "-" ? ::fcntl(0, F_DUPFD_CLOEXEC, 3) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  file_ = above_standard(opened);
  if (file_ < 0) throw Error(ErrorCode::io, name_ + ": cannot open: " + std::strerror(errno));
  struct stat info {};
  const bool told = ::fstat(file_, &info) == 0;
  if (!told || S_ISDIR(info.st_mode)) {
    ::close(file_);
    throw Error(ErrorCode::io, name_ + ": expected a file, got " +
                                   (told ? "a folder; pack it first: tar c FOLDER | "
                                           "statera compress -"
                                         : "nothing that can be read"));
  }
  note_input(file_);
  const off_t here = S_ISREG(info.st_mode) ? ::lseek(file_, 0, SEEK_CUR) : -1;
  // Files of the system say 0 and have more.
  if (here >= 0 && info.st_size > here) length_ = static_cast<uint64_t>(info.st_size - here);
}

RawInput::~RawInput() { ::close(file_); }

size_t RawInput::read(std::span<uint8_t> to) {
  while (true) {
    stop_if_asked();
    pollfd input{file_, POLLIN, 0};
    const int ready = ::poll(&input, 1, 100);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;  // nothing yet, or a signal
    const ssize_t got = ::read(file_, to.data(), to.size());
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR && errno != EAGAIN) throw Error(ErrorCode::io, name_ + ": cannot read: " + std::strerror(errno));
  }
}

}  // namespace statera::cli
