// Files written beside and renamed: whoever reads `path` sees the old file or the whole new one, also after a crash or a full disk.
#pragma once
#include <sys/stat.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace statera {

// A new or regular file is written beside its place, under a hidden name; commit() flushes it to the disk and renames it. Without commit()
// it is removed and PATH stays as it was. A link is followed, so the file that it leads to is replaced, and keeps its mode and owner. What
// cannot be replaced is written into as it comes: a pipe, a character device, a descriptor of this process (/dev/stdout, /dev/fd/3) and a
// file that standard output or error goes to already, each at the place where the descriptor stands. A folder, a block device and a file
// without the right to write are refused. Errors are Error(io) with the path and the mend, and all but those of a disk that is full are
// thrown by the constructor, before any work. A second writer of the same path is refused while the first one lives.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();

 private:
  AtomicFile() = default;
  void open();
  void open_again(int descriptor);
  void open_beside(const std::string& target);
  void keep_mode_and_owner(const struct stat& before) const;
  [[noreturn]] void fail_with(const char* action, int error) const;

  std::string path_;              // as it was given, for messages
  std::string target_, partial_;  // what is replaced, and what is written until then; both empty if PATH is written into
  int file_ = -1;
};

void write_file(const std::string& path, std::string_view text);

// Where a file is written until it is renamed to `path`; a process that was killed leaves it there.
std::string partial_path(const std::string& path);

// Whether two names lead to one file, through links or other folders. False if there is nothing at one of them.
bool same_file(const std::string& a, const std::string& b);

}  // namespace statera
