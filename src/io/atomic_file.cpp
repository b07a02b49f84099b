#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/check.hpp"

namespace statera {

namespace {
const char* mend(int error) {
  switch (error) {
    case ENOSPC: case EDQUOT: return "; free some space or choose another folder";
    case EACCES: case EPERM: case EROFS: return "; choose a folder that you may write to";
    case ENOENT: return "; make the folder first";
    default: return "";
  }
}

// So that the new name survives a loss of power. Some file systems cannot; the file itself is safe already.
void sync_folder(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}
}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {
  file_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file_ < 0) fail_with("create", errno);
  // Two writers of one name would tear each other's file. The lock is on the file, so see that the name still stands for it.
  struct stat opened, named;
  const bool locked = ::flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  if (!locked || ::fstat(file_, &opened) != 0 || ::stat(partial_.c_str(), &named) != 0 || opened.st_ino != named.st_ino ||
      !S_ISREG(opened.st_mode)) {
    ::close(file_);
    fail(ErrorCode::io, path_, ": another process is writing this file; wait for it or choose another folder");
  }
  if (::ftruncate(file_, 0) != 0) {  // what a killed process left
    const int error = errno;
    ::close(file_);
    fail_with("write", error);
  }
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::unlink(partial_.c_str());
  ::close(file_);
}

void AtomicFile::fail_with(const char* action, int error) const {
  fail(ErrorCode::io, path_, ": cannot ", action, " the file: ", std::strerror(error), mend(error),
       ::access(path_.c_str(), F_OK) == 0 ? " (what was saved before is still there)" : "");
}

void AtomicFile::write(const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(file_, at, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_with("write", written < 0 ? errno : ENOSPC);
    at += written;
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(file_) != 0 && errno != EINVAL && errno != ENOTSUP) fail_with("write", errno);
  if (::rename(partial_.c_str(), path_.c_str()) != 0) fail_with("rename", errno);
  ::close(file_);
  file_ = -1;
  sync_folder(path_);
}

void write_file(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace statera
