#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/check.hpp"

namespace statera {

namespace {
const char* mend(int error) {
  switch (error) {
    case ENOSPC: case EDQUOT: return "; free some space or choose another folder";
    case EACCES: case EPERM: case EROFS: return "; choose a folder that you may write to";
    case ENOENT: return "; make the folder first";
    case EISDIR: return "; give the name of a file";
    default: return "";
  }
}

// "a/b" -> "a/"; "b" -> "".
std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

// So that the new name survives a loss of power. Some file systems cannot; the file itself is safe already.
void sync_folder(const std::string& path) {
  const std::string folder = folder_of(path);
  const int file = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

// N for /proc/self/fd/N, whatever the folder is called on the way there; -1 for any other name.
int own_descriptor(const std::string& path) {
  char folder[PATH_MAX];
  if (::realpath(folder_of(path).c_str(), folder) == nullptr) return -1;
  const std::string found = folder, self = "/proc/" + std::to_string(::getpid()) + "/";
  if (!found.starts_with(self) || !found.ends_with("/fd")) return -1;
  int number = -1;
  const char* begin = path.c_str() + path.rfind('/') + 1;
  const auto [end, error] = std::from_chars(begin, path.c_str() + path.size(), number);
  return error == std::errc() && *end == 0 ? number : -1;
}

bool same(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }
}  // namespace

AtomicFile::AtomicFile(std::string path) : AtomicFile() {  // delegates, so that the destructor tidies up if open() throws
  path_ = std::move(path);
  open();
}

// Follows links to what PATH stands for, then opens that or a file beside it.
void AtomicFile::open() {
  std::string name = path_;
  struct stat found {};
  for (int links = 0;; ++links) {
    if (::lstat(name.c_str(), &found) != 0) {
      if (errno != ENOENT || name.empty() || name.back() == '/') fail_with("create", errno);
      return open_beside(name);
    }
    if (!S_ISLNK(found.st_mode)) break;
    if (links == 40) fail_with("create", ELOOP);
    if (const int own = own_descriptor(name); own >= 0) return open_again(own);
    char to[PATH_MAX];
    const ssize_t length = ::readlink(name.c_str(), to, sizeof(to));
    if (length < 0) fail_with("create", errno);
    const std::string next(to, static_cast<size_t>(length));
    name = next.starts_with('/') ? next : folder_of(name) + next;
  }
  if (S_ISDIR(found.st_mode)) fail_with("create", EISDIR);
  require(!S_ISBLK(found.st_mode), ErrorCode::io, path_, ": is a block device; give the name of a file");
  if (!S_ISREG(found.st_mode)) {
    file_ = ::open(name.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (file_ < 0) fail_with("write", errno);
    return;
  }
  struct stat standard;
  for (const int own : {STDOUT_FILENO, STDERR_FILENO})
    if (::fstat(own, &standard) == 0 && same(standard, found)) return open_again(own);
  if (::access(name.c_str(), W_OK) != 0) fail_with("replace", errno);
  open_beside(name);
  keep_mode_and_owner(found);
}

void AtomicFile::open_again(int descriptor) {
  file_ = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (file_ < 0) fail_with("write", errno);
}

void AtomicFile::open_beside(const std::string& target) {
  const std::string partial = partial_path(target);
  file_ = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (file_ < 0) fail_with("create", errno);
  // Two writers of one name would tear each other's file. The lock is on the file, so see that the name still stands for it.
  struct stat opened, named;
  const bool locked = ::flock(file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  require(locked && ::fstat(file_, &opened) == 0 && ::stat(partial.c_str(), &named) == 0 && same(opened, named) && S_ISREG(opened.st_mode),
          ErrorCode::io, path_, ": another process is writing this file; wait for it or choose another folder");
  target_ = target;
  partial_ = partial;
  if (::ftruncate(file_, 0) != 0) fail_with("write", errno);  // what a killed process left
}

void AtomicFile::keep_mode_and_owner(const struct stat& before) const {
  struct stat now;
  if (::fstat(file_, &now) != 0) fail_with("write", errno);
  // Who is not root may not give a file away; what he replaces becomes his.
  if ((now.st_uid != before.st_uid || now.st_gid != before.st_gid) && ::fchown(file_, before.st_uid, before.st_gid) != 0 && errno != EPERM)
    fail_with("write", errno);
  if (((now.st_mode ^ before.st_mode) & 0777) != 0 && ::fchmod(file_, before.st_mode & 0777) != 0) fail_with("write", errno);
}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  if (!partial_.empty()) ::unlink(partial_.c_str());
  ::close(file_);
}

void AtomicFile::fail_with(const char* action, int error) const {
  fail(ErrorCode::io, path_, ": cannot ", action, " the file: ", std::strerror(error), mend(error),
       !partial_.empty() && ::access(path_.c_str(), F_OK) == 0 ? " (what was saved before is still there)" : "");
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
  if (!partial_.empty() && ::rename(partial_.c_str(), target_.c_str()) != 0) fail_with("rename", errno);
  ::close(file_);
  file_ = -1;
  if (!target_.empty()) sync_folder(target_);
}

std::string partial_path(const std::string& path) {
  return folder_of(path) + "." + path.substr(folder_of(path).size()) + ".statera-partial";
}

void write_file(const std::string& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

bool same_file(const std::string& a, const std::string& b) {
  struct stat first, second;
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && same(first, second);
}

}  // namespace statera
