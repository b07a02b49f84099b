// What a path names (a file, a folder, standard input), opened file by file. It opens and closes the files; the bytes
// go to the function Read, and none are kept. The limits of time and bytes hold for all calls of read() together. Not
// thread safe.
#pragma once
#include <sys/types.h>

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/unpack.hpp"
#include "statera/data.hpp"

namespace statera {

class NamedInputs {
 public:
  // Reads an open input to its end or as far as `reading` allows. Returns how many bytes came.
  using Read = std::function<size_t(int descriptor, const std::string& path, Reading& reading)>;
  NamedInputs(const ReadOptions& options, Read read);

  // Reads what ByteSource takes under this path. Throws ErrorCode::io as its constructor does.
  void read(const std::string& path);

  int64_t documents() const { return documents_; }  // files that had bytes
  const std::string& cut() const { return reading_.cut; }
  const std::vector<std::string>& left_out() const { return left_out_; }
  const std::set<std::pair<dev_t, ino_t>>& files() const { return files_; }  // regular files that were opened

 private:
  bool too_late(const std::string& path);
  void open_input(int descriptor, const std::string& path);
  void file(const std::string& path);
  void folder(const std::string& path);

  Reading reading_;
  double seconds_;  // time limit for reading
  Read read_;
  int64_t documents_ = 0;
  std::vector<std::string> left_out_;
  std::set<std::pair<dev_t, ino_t>> files_;
};

}  // namespace statera
