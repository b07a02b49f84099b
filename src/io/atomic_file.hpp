// Files that are written beside their place and then renamed. A reader of `path` sees the old file or the complete new
// one, also after a crash or with a full disk.
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

// Thrown (as ErrorCode::io) when the pipe that is being written has lost its reader.
struct ReaderHasGone : Error {
  using Error::Error;
};

// Where a file is to stand: a path, or a name in a folder that is held open (OutputFolder). Such a folder stays the
// same one even if it is moved or its path leads elsewhere meanwhile.
struct OutputPlace {
  OutputPlace(std::string path) : path(path), name(std::move(path)) {}
  OutputPlace(const char* path) : OutputPlace(std::string(path)) {}
  OutputPlace(int folder, std::string name, std::string path, std::string mark)
      : path(std::move(path)), name(std::move(name)), mark(std::move(mark)), folder(folder) {}
  bool held() const { return folder != AT_FDCWD; }

  std::string path;        // for messages
  std::string name, mark;  // name in the folder; mark of the partial file (see partial_path)
  int folder = AT_FDCWD;   // borrowed descriptor of the held folder
  // Safetensors files whose `format` begins with this may be replaced although statera wrote or read them.
  std::string may_replace;
};

// Writes one file. Errors are ErrorCode::io with the path and the fix. All but those of a full disk are thrown by the
// constructor, before any work is done. Owns its descriptors. Not thread safe.
//
// A new or regular file is written under a free hidden name beside its place. commit() flushes it to the disk and
// renames it; without commit() it is removed and `path` stays as it was. A link is followed: the file it leads to is
// replaced, and the new one keeps that file's mode and owner.
//
// Some outputs cannot be replaced and are written directly: a pipe, a character device, a descriptor of this process
// (/dev/stdout, /dev/fd/3), and a file that standard output or error already goes to, at the descriptor's position.
//
// Refused are: a folder, a block device, a file without write permission, a second writer of the same path while the
// first one lives; in a held folder anything but a plain file; outside of a held folder a file of a model or a
// comparison, and a file that this process has read (core/inputs.hpp), which is checked again before the first write
// and before the rename.
//
// A partial file of a killed process is removed if it says that statera wrote it.
class AtomicFile {
 public:
  // `often` is called at least ten times per second while a pipe has no reader or is full; what it throws ends the
  // wait.
  explicit AtomicFile(OutputPlace place, std::function<void()> often = {});
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::string& path() const { return place_.path; }
  // A file that replaces none gets at most the permissions of `source`, a regular file that it was made from, so that
  // what was private stays so. Does nothing for others.
  void no_more_open_than(const std::string& source);
  void write(const void* data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void sync();  // to the disk; commit() calls it if nobody did
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

  OutputPlace place_;  // as given
  std::function<void()> often_;
  // names in the folder `beside_`: what is replaced, and the partial file; both empty if the output is written directly
  std::string target_, partial_;
  int beside_ = -1, file_ = -1;
  bool synced_ = false, begun_ = false, replaces_ = false;
};

void write_file(const OutputPlace& place, std::string_view text);

// Takes ownership of a descriptor and returns one above the standard three. If a program was started with those closed,
// terminal output must not end up in a file. Returns -1 (with errno) for -1 or if there is no free descriptor.
int above_standard(int descriptor);
void sync_folder(int folder);  // makes a new name in it survive a power loss; does nothing where the file system cannot

// The name under which a file is written until it is renamed to `path`. A killed process leaves it behind.
std::string partial_path(const std::string& path, const std::string& mark = "");

bool same_file(const struct stat& a, const struct stat& b);

}  // namespace statera
