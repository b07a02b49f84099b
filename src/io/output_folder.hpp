// A folder that statera writes into, beside whatever else the user keeps there. FOLDER/statera.json lists the files
// that statera wrote. Only these are replaced or removed, and only if they, or a file beside them, say inside that
// statera wrote them. FOLDER/.statera.lock exists, locked, while somebody writes.
#pragma once
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/atomic_file.hpp"

namespace statera {

// What one kind of writer puts into a folder. Names are relative and at most one folder deep: "last/config.json".
struct OutputFiles {
  std::vector<std::string> names;
  // Files that show that the folder is ours: a safetensors file by its metadata, a database by its tables. If one of
  // them does, those of `names` that are in the list (all of them if there is no list yet) are taken to be ours.
  std::vector<std::string> known_by;
  std::string link;  // the one of `names` that is a symbolic link; empty: all are plain files
  // Folders that contain only folders of the same writer. Nobody else may write into them.
  std::vector<std::string> folders;
  std::string goes_on_from;  // the one of `known_by` that exists if the work in the folder can be resumed
  // advice in the error when an earlier work must not be replaced
  std::string instead = "choose another folder with --out";
};

// What may happen to earlier work in the folder (there is some if a file of `known_by` exists).
enum class Earlier { replaced, goes_on, refused };

// Holds a folder for one writer while it lives, with a lock; a lock file that a killed process left does not count. The
// folder is held open: even if it is moved or its path leads elsewhere, files go into the folder that was claimed. Owns
// the descriptors. Not thread safe.
class OutputFolder {
 public:
  // Creates the folder and lists the files in it. Throws ErrorCode::io, changing nothing, if another process or thread
  // writes there; if the folder is inside one that another writer has listed, or contains one that it writes into
  // itself; if one of the files exists and is not ours or not a plain file; if there is earlier work that must stay; or
  // if the folder or a file cannot be created or written. Where the file system has no locks, two writers do not notice
  // each other.
  OutputFolder(std::string path, const OutputFiles& files, Earlier earlier = Earlier::replaced);
  ~OutputFolder();  // if nothing was written, removes what the constructor created
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // Runs the constructor and undoes it: an output that cannot be written should fail before the work, not after it.
  static void check(const std::string& path, const OutputFiles& files) { OutputFolder(path, files); }
  // Removes the files, and folders that are then empty. It is no error if the folder does not exist.
  static void remove(const std::string& path, const OutputFiles& files);

  // The place of one of the names, to be written at once; creates the folder between. Throws ErrorCode::io if the lock
  // or the folder between has been replaced since, since somebody else may then write there.
  OutputPlace at(const std::string& name);
  // A new file with the first `keep` bytes of the old one, open for appending. If the old file has another name too, it
  // keeps its bytes there.
  std::FILE* append(const std::string& name, int64_t keep = std::numeric_limits<int64_t>::max());
  // call it before changing a file in place: a file with a second name becomes a copy of its own
  void own(const std::string& name);
  void link(const std::string& name, const std::string& target);
  void remove(const std::string& name);  // removes one of the names, and the folder between if it is then empty
  // Throws ErrorCode::io if the path leads to another folder by now. Call it after writing what must be safe in any
  // case, and before using the path.
  void check_place() const;
  const std::string& path() const { return path_; }

 private:
  using Identity = std::pair<dev_t, ino_t>;

  OutputFolder() = default;
  void make(const std::string& folder);
  void lock();
  bool take(int file);
  void sign();
  void refuse_to_replace(Earlier earlier) const;
  void claim();
  void check_name(const std::string& name, bool ours) const;
  void check_folder(const std::string& name, bool ours) const;
  void remove_partial_files(const std::vector<std::string>& names);
  void tidy();
  void enter(const std::string& folder);
  void copy(const OutputPlace& place, int64_t keep);
  bool is_there(const std::string& name) const;
  bool lock_is_ours() const;
  bool in_place() const;
  std::string whereabouts() const;
  [[noreturn]] void refuse_second(const std::string& who) const;

  std::string path_;
  OutputFiles files_;
  std::vector<std::string> made_, made_below_;  // folders that were created, outermost first; those between
  std::map<std::string, Identity> between_;     // folders between, by name
  std::string mark_, mark_before_;              // marks of partial files: of this writer, and of one that was killed
  std::optional<std::string> list_before_;      // the old text of the list, if this writer has extended it
  bool claimed_ = false;
  int folder_ = -1, lock_ = -1;
};

// The files that statera wrote into a folder, with its list and its lock. Empty if there is no list.
std::vector<std::string> own_files(const std::string& folder);

// Throws ErrorCode::io if an output that the user named is, or will be, a file of a model or a comparison.
void check_named_output(const OutputPlace& place);

}  // namespace statera
