// Files written beside and renamed: whoever reads `path` sees the old file or the whole new one, also after a crash or a full disk.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace statera {

// Where a file is to stand: a path, or a name in a folder that is held open (OutputFolder), which stays that folder wherever it is moved and
// whatever its path leads to meanwhile.
struct OutputPlace {
  OutputPlace(std::string path) : path(path), name(std::move(path)) {}
  OutputPlace(const char* path) : OutputPlace(std::string(path)) {}
  OutputPlace(int folder, std::string name, std::string path, std::string mark)
      : path(std::move(path)), name(std::move(name)), mark(std::move(mark)), folder(folder) {}
  bool held() const { return folder != AT_FDCWD; }

  std::string path;        // for messages
  std::string name, mark;  // in the folder; of the partial file (partial_path)
  int folder = AT_FDCWD;   // a descriptor that the place does not own
};

// A new or regular file is written beside its place, under a hidden name that was free; commit() flushes it to the disk and renames it.
// Without commit() it is removed and PATH stays as it was. A link is followed, so the file that it leads to is replaced, and keeps its mode
// and owner. What cannot be replaced is written into as it comes: a pipe, a character device, a descriptor of this process (/dev/stdout,
// /dev/fd/3) and a file that standard output or error goes to already, each at the place where the descriptor stands. In a folder that is
// held, only a plain file is replaced. A folder, a block device and a file without the right to write are refused. Errors are Error(io) with
// the path and the mend, and all but those of a disk that is full are thrown by the constructor, before any work. A second writer of the same
// path is refused while the first one lives. What a killed process left beside the path is let alone: it cannot be told from a user's file.
class AtomicFile {
 public:
  explicit AtomicFile(OutputPlace place);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::string& path() const { return place_.path; }
  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void sync();  // to the disk; commit() does it where it was not done
  void commit();

 private:
  AtomicFile() : place_("") {}
  void open();
  void open_again(int descriptor);
  void open_beside(const std::string& target);
  void refuse_second(const std::string& partial) const;
  void keep_mode_and_owner(const struct stat& before) const;
  bool partial_is_ours() const;
  [[noreturn]] void fail_with(const char* action, int error) const;

  OutputPlace place_;             // as it was given
  std::string target_, partial_;  // in `beside_`: what is replaced, and what is written until then; both empty if PATH is written into
  int beside_ = -1, file_ = -1;
  bool synced_ = false;
};

void write_file(const OutputPlace& place, std::string_view text);

// Where a file is written until it is renamed to `path`; a process that was killed leaves it there.
std::string partial_path(const std::string& path, const std::string& mark = "");

// Whether two names lead to one file, through links or other folders. False if there is nothing at one of them.
bool same_file(const std::string& a, const std::string& b);
bool same_file(const struct stat& a, const struct stat& b);

}  // namespace statera
