// Files written beside and renamed: whoever reads `path` sees the old file or the whole new one, also after a crash or
// a full disk.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "statera/error.hpp"

namespace statera {

// Of a pipe that nobody reads any more (io).
struct ReaderHasGone : Error {
  using Error::Error;
};

// Where a file is to stand: a path, or a name in a folder that is held open (OutputFolder), which stays that folder
// wherever it is moved and whatever its path leads to meanwhile.
struct OutputPlace {
  OutputPlace(std::string path) : path(path), name(std::move(path)) {}
  OutputPlace(const char* path) : OutputPlace(std::string(path)) {}
  OutputPlace(int folder, std::string name, std::string path, std::string mark)
      : path(std::move(path)), name(std::move(name)), mark(std::move(mark)), folder(folder) {}
  bool held() const { return folder != AT_FDCWD; }

  std::string path;        // for messages
  std::string name, mark;  // in the folder; of the partial file (partial_path)
  int folder = AT_FDCWD;   // a descriptor that the place does not own
  // beginning of the `format` of safetensors files that may be replaced though they are ours or were read
  std::string may_replace;
};

// A new or regular file is written beside its place, under a hidden name that was free; commit() flushes it to the disk
// and renames it. Without commit() it is removed and PATH stays as it was. A link is followed, so the file that it
// leads to is replaced, and keeps its mode and owner. What cannot be replaced is written into as it comes: a pipe, a
// character device, a descriptor of this process (/dev/stdout, /dev/fd/3) and a file that standard output or error goes
// to already, each at the place where the descriptor stands. In a folder that is held, only a plain file is replaced. A
// folder, a block device and a file without the right to write are refused. Errors are Error(io) with the path and the
// mend, and all but those of a disk that is full are thrown by the constructor, before any work. A second writer of the
// same path is refused while the first one lives. What a killed process left beside the path is removed where it says
// that it is ours. Outside of a held folder, a file of a model or a comparison is refused, and one that this process
// has read (core/inputs.hpp), by the constructor and, for what is read later, before the first byte is written and
// before the file is replaced.
class AtomicFile {
 public:
  // `often`: asked ten times a second at the fewest while a pipe has no reader or is full; what it throws ends the
  // wait.
  explicit AtomicFile(OutputPlace place, std::function<void()> often = {});
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
  void open_in_place(const std::string& name, bool pipe);
  void open_beside(const std::string& target);
  void refuse_second(const std::string& partial) const;
  void refuse_inputs() const;
  size_t wait_for_room(size_t size);
  void keep_mode_and_owner(const struct stat& before) const;
  bool partial_is_ours() const;
  [[noreturn]] void fail_with(const char* action, int error) const;

  OutputPlace place_;  // as it was given
  std::function<void()> often_;
  // in `beside_`: what is replaced, and what is written until then; both empty if PATH is written into
  std::string target_, partial_;
  int beside_ = -1, file_ = -1;
  bool synced_ = false, begun_ = false;
};

void write_file(const OutputPlace& place, std::string_view text);

// Takes the descriptor, and gives one that is none of the standard three: where a program has closed these, what is
// meant for a terminal must not come into a file. -1 (errno) for -1 and where there is none.
int above_standard(int descriptor);
void sync_folder(int folder);  // so that a new name in it survives a loss of power; nothing where a file system cannot

// Where a file is written until it is renamed to `path`; a process that was killed leaves it there.
std::string partial_path(const std::string& path, const std::string& mark = "");

bool same_file(const struct stat& a, const struct stat& b);

}  // namespace statera
