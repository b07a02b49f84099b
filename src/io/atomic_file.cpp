#include "io/atomic_file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/check.hpp"
#include "core/inputs.hpp"
#include "io/output_folder.hpp"
#include "io/safetensors.hpp"
#include "io/written_by.hpp"

namespace statera {

namespace {
const char* fix(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space or choose another folder";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; choose a folder that you may write to";
    case ENOENT:
      return "; make the folder first";
    case EISDIR:
      return "; give the name of a file";
    default:
      return "";
  }
}

// "a/b" -> "a/"; "b" -> "".
std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

// Whether a partial file was left by a killed process: nobody holds its lock, it has no other name, and it is empty or
// says that statera wrote it.
bool is_left_over(int folder, const std::string& name, int file) {
  struct stat opened, named;
  if (::flock(file, LOCK_EX | LOCK_NB) != 0 || ::fstat(file, &opened) != 0 || !S_ISREG(opened.st_mode) ||
      opened.st_nlink != 1 || ::fstatat(folder, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0 ||
      !same_file(opened, named))
    return false;
  const std::string path = "/proc/self/fd/" + std::to_string(file);
  return opened.st_size == 0 || says_it_is_ours(path) || is_named_output(path);
}

template <class Numbered>
void remove_left_over(int folder, const Numbered& numbered) {
  for (int i = 1; i <= 1000; ++i) {
    const std::string name = numbered(i);
    const int file = ::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (file < 0 && errno == ENOENT) return;
    if (file < 0) continue;
    if (is_left_over(folder, name, file)) ::unlinkat(folder, name.c_str(), 0);
    ::close(file);
  }
}

// N for /proc/self/fd/N, under whatever path that folder is reached; -1 for any other name.
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
}  // namespace

// delegates to another constructor, so that the destructor runs if this one throws
AtomicFile::AtomicFile(OutputPlace place, std::function<void()> often) : AtomicFile() {
  place_ = std::move(place);
  often_ = std::move(often);
  if (!place_.held()) check_named_output(place_);
  open();
  refuse_inputs();
}

// Follows links to the final file, then opens it or a partial file beside it.
void AtomicFile::open() {
  std::string name = place_.name;
  struct stat found {};
  for (int links = 0;; ++links) {
    if (::fstatat(place_.folder, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT || name.empty() || name.back() == '/') fail_with("create", errno);
      return open_beside(name);
    }
    require(!place_.held() || S_ISREG(found.st_mode), ErrorCode::io, path(),
            ": is no plain file, and would be replaced; move it away");
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
  require(!S_ISBLK(found.st_mode), ErrorCode::io, path(), ": is a block device; give the name of a file");
  if (!S_ISREG(found.st_mode)) return open_in_place(name, S_ISFIFO(found.st_mode));
  struct stat standard;
  for (const int own : {STDOUT_FILENO, STDERR_FILENO})
    if (::fstat(own, &standard) == 0 && same_file(standard, found)) return open_again(own);
  if (::faccessat(place_.folder, name.c_str(), W_OK, 0) != 0) fail_with("replace", errno);
  open_beside(name);
  keep_mode_and_owner(found);
  replaces_ = true;
}

void AtomicFile::no_more_open_than(const std::string& source) {
  struct stat from, now;
  if (partial_.empty() || replaces_ || ::stat(source.c_str(), &from) != 0 || !S_ISREG(from.st_mode)) return;
  if (::fstat(file_, &now) != 0 || ::fchmod(file_, now.st_mode & from.st_mode & 0777) != 0) fail_with("write", errno);
}

void AtomicFile::open_in_place(const std::string& name, bool pipe) {
  constexpr useconds_t moment = 20'000;
  for (;; ::usleep(moment)) {  // waits until a pipe has a reader
    file_ = above_standard(::open(name.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (file_ >= 0) break;
    if (errno != EINTR && !(pipe && errno == ENXIO)) fail_with("write", errno);
    if (often_) often_();
  }
  if (::fcntl(file_, F_SETFL, ::fcntl(file_, F_GETFL) & ~O_NONBLOCK) != 0) fail_with("write", errno);
}

void AtomicFile::open_again(int descriptor) {
  const int mode = ::fcntl(descriptor, F_GETFL);
  if (mode >= 0 && (mode & O_ACCMODE) == O_RDONLY) fail_with("write", EBADF);
  file_ = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (file_ < 0) fail_with("write", errno);
}

// The folder is opened once, and everything after that goes through its descriptor.
void AtomicFile::open_beside(const std::string& target) {
  std::string folder = folder_of(target);
  if (place_.held() && !folder.empty()) folder.pop_back();  // with its trailing slash, a link would be followed
  const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC | (place_.held() ? O_NOFOLLOW : 0);
  beside_ = above_standard(::openat(place_.folder, folder.empty() ? "." : folder.c_str(), flags));
  if (beside_ < 0) fail_with("create", errno);
  const std::string name = target.substr(folder_of(target).size());
  const auto numbered = [&](int i) { return partial_path(name, place_.mark + (i == 1 ? "" : std::to_string(i))); };
  if (!place_.held()) remove_left_over(beside_, numbered);
  for (int i = 1; file_ < 0; ++i) {  // under a free name: an existing file may be the user's
    const std::string partial = numbered(i);
    file_ = above_standard(::openat(beside_, partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file_ >= 0)
      partial_ = partial;
    else if (errno != EEXIST || i == 1000)
      fail_with("create", errno);
    else
      refuse_second(partial);
  }
  target_ = name;
  while (::flock(file_, LOCK_EX) != 0 && errno == EINTR) {
  }  // for refuse_second(); a file system without locks fails here, and nothing can be done about it
}

// Throws if another writer is writing `partial`.
void AtomicFile::refuse_second(const std::string& partial) const {
  struct stat found;
  if (::fstatat(beside_, partial.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(found.st_mode)) return;
  const int file = ::openat(beside_, partial.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return;
  const bool locked = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  require(!locked, ErrorCode::io, path(),
          ": another process is writing this file; wait for it or choose another folder");
}

void AtomicFile::refuse_inputs() const {
  if (place_.held() || !(partial_.empty() ? is_input(file_) : is_input(beside_, target_.c_str()))) return;
  require(!place_.may_replace.empty() && format_in(path()).starts_with(place_.may_replace), ErrorCode::io, path(),
          ": is one of the files that were read, and would be replaced; give another name");
}

bool AtomicFile::partial_is_ours() const {
  struct stat opened, named;
  return ::fstat(file_, &opened) == 0 && ::fstatat(beside_, partial_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         same_file(opened, named);
}

void AtomicFile::keep_mode_and_owner(const struct stat& before) const {
  struct stat now;
  if (::fstat(file_, &now) != 0) fail_with("write", errno);
  // only root may give a file away; otherwise the new file belongs to this user
  if ((now.st_uid != before.st_uid || now.st_gid != before.st_gid) &&
      ::fchown(file_, before.st_uid, before.st_gid) != 0 && errno != EPERM)
    fail_with("write", errno);
  if (((now.st_mode ^ before.st_mode) & 0777) != 0 && ::fchmod(file_, before.st_mode & 0777) != 0)
    fail_with("write", errno);
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0 && !partial_.empty() && partial_is_ours()) ::unlinkat(beside_, partial_.c_str(), 0);
  if (file_ >= 0) ::close(file_);
  if (beside_ >= 0) ::close(beside_);
}

void AtomicFile::fail_with(const char* action, int error) const {
  try {
    fail(ErrorCode::io, path(), ": cannot ", action, " the file: ", std::strerror(error), fix(error),
         !partial_.empty() && ::faccessat(place_.folder, place_.name.c_str(), F_OK, 0) == 0
             ? " (what was saved before is still there)"
             : "");
  } catch (const Error& made) {
    if (error == EPIPE) throw ReaderHasGone(made.code(), made.what());
    throw;
  }
}

// How much of `size` can be written without blocking for long. A pipe that is writable takes at least PIPE_BUF bytes.
size_t AtomicFile::wait_for_room(size_t size) {
  if (!partial_.empty() || !often_) return size;
  pollfd room{file_, POLLOUT, 0};
  constexpr int tenth_of_a_second = 100;
  for (int found = 0; (found = ::poll(&room, 1, tenth_of_a_second)) <= 0;) {
    if (found < 0 && errno != EINTR) fail_with("write", errno);
    often_();
  }
  return std::min<size_t>(size, PIPE_BUF);
}

void AtomicFile::write(const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  if (!std::exchange(begun_, true)) refuse_inputs();
  while (size > 0) {
    const ssize_t written = ::write(file_, at, wait_for_room(size));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_with("write", written < 0 ? errno : ENOSPC);
    synced_ = false;
    at += written;
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::sync() {
  if (!synced_ && ::fsync(file_) != 0 && errno != EINVAL && errno != ENOTSUP) fail_with("write", errno);
  synced_ = true;
}

void AtomicFile::commit() {
  refuse_inputs();
  sync();
  if (!partial_.empty()) {
    if (!partial_is_ours()) fail_with("rename", ENOENT);
    if (::renameat(beside_, partial_.c_str(), beside_, target_.c_str()) != 0) fail_with("rename", errno);
    sync_folder(beside_);
  }
  ::close(file_);
  file_ = -1;
}

std::string partial_path(const std::string& path, const std::string& mark) {
  return folder_of(path) + "." + path.substr(folder_of(path).size()) + (mark.empty() ? "" : "." + mark) +
         ".statera-partial";
}

int above_standard(int descriptor) {
  if (descriptor < 0 || descriptor > STDERR_FILENO) return descriptor;
  const int moved = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
  ::close(descriptor);
  errno = error;
  return moved;
}

void sync_folder(int folder) {
  const int file = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return;
  ::fsync(file);
  ::close(file);
}

void write_file(const OutputPlace& place, std::string_view text) {
  AtomicFile file(place);
  file.write(text);
  file.commit();
}

bool same_file(const struct stat& a, const struct stat& b) { return a.st_dev == b.st_dev && a.st_ino == b.st_ino; }

}  // namespace statera
