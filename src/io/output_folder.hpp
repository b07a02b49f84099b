// A folder that is written into beside whatever else the user keeps there. FOLDER/statera.json lists the files that
// statera wrote; only these are ever replaced or removed, and only where a file beside them, or they themselves, say
// that statera wrote them. FOLDER/.statera.lock is there, locked, while somebody writes.
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

// What one writer writes into a folder. Names are relative and at most one folder deep: "last/config.json".
struct OutputFiles {
  std::vector<std::string> names;
  // A folder is known by one of these files, if it says inside that statera wrote it: a safetensors file in its
  // metadata, a database in its tables. Then those of `names` that the list has, all of them where there is none yet,
  // are taken to be ours.
  std::vector<std::string> known_by;
  std::string link;  // the one of `names` that is a symbolic link; empty: all are plain files
  // that hold folders of the same writer, and nothing else; nobody else may write into these
  std::vector<std::string> folders;
  std::string goes_on_from;  // the one of `known_by` that is there if the work in the folder can go on
  std::string instead = "choose another folder with --out";  // advice where an earlier work is not to be replaced
};

// What may become of an earlier work in the folder, one that has a file of `known_by`.
enum class Earlier { replaced, goes_on, refused };

// The folder is this object's alone while it lives. Copies of a lock that a killed process left do not count. The
// folder is held open: wherever it is moved, and whatever its path leads to then, the files go into the folder that was
// claimed and into no other.
class OutputFolder {
 public:
  // Makes the folder, and lists the files in it. Throws io, and leaves all as it was, if another process or thread
  // writes there, if the folder is inside of one that another writer has listed or holds one where it writes itself, if
  // one of the files is there and is not ours or is no plain file, if there is an earlier work that must stay, and if
  // the folder or a file cannot be made or written. (Where the file system has no locks, two writers are not told
  // apart.)
  OutputFolder(std::string path, const OutputFiles& files, Earlier earlier = Earlier::replaced);
  ~OutputFolder();  // of a folder in which nothing was written, nothing is left
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // What the constructor does, undone: for outputs that shall be wrong before the work and not after.
  static void check(const std::string& path, const OutputFiles& files) { OutputFolder(path, files); }
  // The files go, and the folders that are empty then. A folder that is not there is no error.
  static void remove(const std::string& path, const OutputFiles& files);

  // One of the names, to be written at once, with the folder between made. Throws io if the lock or the folder between
  // is not the one of the start any more: then somebody else may write there.
  OutputPlace at(const std::string& name);
  // The first `keep` bytes of what is there, in a new file, open to go on at its end: a file that has another name too
  // keeps its bytes there.
  std::FILE* append(const std::string& name, int64_t keep = std::numeric_limits<int64_t>::max());
  void own(const std::string& name);  // for who changes a file in place: with another name beside, it becomes a copy
  void link(const std::string& name, const std::string& target);
  void remove(const std::string& name);  // one of the names, and the folder between if it is empty then
  // Throws io if the path leads to another folder by now. Call it after what shall be safe in any case, and before the
  // path is used.
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
  std::vector<std::string> made_, made_below_;  // folders, outermost first; those between
  std::map<std::string, Identity> between_;     // folders between, by their names
  std::string mark_, mark_before_;              // of partial files: of this writer, and of one that was killed
  std::optional<std::string> list_before_;      // the text of the list, where this writer made it longer
  bool claimed_ = false;
  int folder_ = -1, lock_ = -1;
};

// The names of the files that statera wrote into a folder, its list and its lock among them; none where there is no
// list.
std::vector<std::string> own_files(const std::string& folder);

// Throws io if an output that is named by the user is a file of a model or a comparison, or will be one.
void check_named_output(const OutputPlace& place);

}  // namespace statera
