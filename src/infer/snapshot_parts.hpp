// The tensors and metadata of a snapshot, as a part of a file that may hold more.
#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "io/safetensors.hpp"
#include "statera/session.hpp"

namespace statera {

// An open file of ours, and which of its tensors have been asked for. All throw ErrorCode::io, naming the file. Owns
// the file; what it reads is the caller's. Not thread safe.
class PartsReader {
 public:
  // `what`: what the file should be, for messages ("snapshot").
  PartsReader(const std::string& path, std::string what) : file_(SafetensorsFile::open(path)), what_(std::move(what)) {}

  const std::string& text(const std::string& key) const;
  int64_t number(const std::string& key) const;  // a count, 0 to 2^53
  // A tensor whose values must all be finite.
  Tensor tensor(const std::string& name, DType dtype, const Shape& shape);
  // The same for other element types, and for values that the caller checks.
  Tensor any_values(const std::string& name, DType dtype, const Shape& shape);
  const FileTensor& at(const std::string& name) const { return file_.at(name); }
  void require_checksum() const { file_.require_checksum(); }
  void check_all_asked() const;  // throws for a tensor that nobody asked for
  const std::string& path() const { return file_.path(); }

 private:
  const FileTensor& found(const std::string& name, DType dtype, const Shape& shape);

  SafetensorsFile file_;
  std::string what_;
  std::set<std::string> asked_;
};

struct SnapshotParts {
  // Adds what a file stores of the snapshot. The views borrow from the snapshot and from `owned`, which gets what had
  // to be made for them.
  static void add(const Snapshot& snapshot, std::vector<NamedView>& tensors,
                  std::map<std::string, std::string>& metadata, std::vector<Tensor>& owned);
  // Takes the file to be of `model` as it is now. `before_4`: with the names of those formats.
  static Snapshot read(PartsReader& file, const Model& model, bool before_4 = false);
};

}  // namespace statera
