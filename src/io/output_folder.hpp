// A folder that is written into beside whatever else the user keeps there. FOLDER/statera.json lists the files that statera wrote; only
// these are ever replaced or removed. FOLDER/.statera.lock is there, locked, while somebody writes.
#pragma once
#include <string>
#include <vector>

namespace statera {

// What one writer writes into a folder. Names are relative and at most one folder deep: "last/config.json".
struct OutputFiles {
  std::vector<std::string> names;
  // Folders from before there was a list are known by one of these files, if it says inside that statera wrote it: a safetensors file in its
  // metadata, a database in its tables. Then `names` are taken to be ours too.
  std::vector<std::string> known_by;
  std::string link;  // the one of `names` that is a symbolic link; empty: all are plain files
};

// The folder is this object's alone while it lives. Copies of a lock that a killed process left do not count.
class OutputFolder {
 public:
  // Makes the folder, and lists the files in it. Throws io, and leaves all as it was, if another process or thread writes there, if one of
  // the files is there and is not ours or is no plain file, and if the folder cannot be made or written. (Where the file system has no
  // locks, two writers are not told apart.)
  OutputFolder(std::string path, const OutputFiles& files);
  ~OutputFolder();  // of a folder in which nothing was written, nothing is left
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  // What the constructor does, undone: for outputs that shall be wrong before the work and not after.
  static void check(const std::string& path, const OutputFiles& files) { OutputFolder(path, files); }
  // The files go, and the folders that are empty then. A folder that is not there is no error.
  static void remove(const std::string& path, const OutputFiles& files);

  std::string at(const std::string& name);  // FOLDER/name, with the folder between them made
  void remove(const std::string& name);     // one of the names, and the folder between if it is empty then

 private:
  OutputFolder() = default;
  void make(const std::string& folder);
  void lock();
  void claim();
  void tidy();
  [[noreturn]] void refuse_second(int file) const;

  std::string path_;
  OutputFiles files_;
  std::vector<std::string> made_;  // folders, outermost first
  int lock_ = -1;
};

// The names of the files that statera wrote into a folder, its list among them; none where there is no list.
std::vector<std::string> own_files(const std::string& folder);

// Throws io if `path`, an output that is named by the user, is a file of a model or a comparison.
void check_named_output(const std::string& path);

}  // namespace statera
