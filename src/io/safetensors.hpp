// The public safetensors format: 8 bytes with the length of a JSON header (little-endian), the header
// {"__metadata__": {text: text}, NAME: {"dtype", "shape", "data_offsets": [begin, end]}, ...}, then the tensors without
// gaps.
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/input_file.hpp"
#include "io/atomic_file.hpp"
#include "statera/tensor.hpp"

namespace statera {

struct NamedView {
  std::string name;
  View view;
};

// A tensor in a file, not yet read.
struct FileTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  uint64_t offset = 0;  // of its data from the begin of the file
  size_t bytes() const { return static_cast<size_t>(shape.elements()) * size_of(dtype); }
};

// A file that was checked as a whole: every tensor lies inside it, none overlaps another, and the bytes have the
// checksum that a file of ours holds. The values themselves are not looked at. Only the header is in memory; whoever
// wants a tensor checks its shape and then reads it.
class SafetensorsFile {
 public:
  enum class Check { all, header };  // header: no data are read, so a checksum is not compared

  // Throws io for a file that is missing or breaks the format, unsupported for an element type or a rank that the
  // engine lacks; one line with the file, the tensor and what was expected. `by_hand`, " (...)", ends the line about a
  // wrong checksum.
  static SafetensorsFile open(const std::string& path, Check check = Check::all, const std::string& by_hand = "");

  const std::string& path() const { return file_.path(); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }  // without the checksum
  bool has_checksum() const { return has_checksum_; }
  // Throws io: for a file whose format has a checksum, and that lacks it.
  void require_checksum() const;
  std::span<const FileTensor> tensors() const {
    return tensors_;
  }                                                     // by name; borrowed from this object, which may be moved
  const FileTensor* find(std::string_view name) const;  // null if there is none
  const FileTensor& at(std::string_view name) const;    // throws io, naming the file and the nearest name
  Tensor read(const FileTensor& tensor) const;         // throws io, also if the file was written to since it was opened
  Tensor read_finite(const FileTensor& tensor) const;  // f32 or f64; throws io for a value that is not finite

 private:
  InputFile file_;
  std::map<std::string, std::string> metadata_;
  bool has_checksum_ = false;
  std::vector<FileTensor> tensors_;
};

// The `format` in the metadata of a file, whether its tensors are whole or not; empty for what has none or cannot be
// read. It does not count as reading the file (core/inputs.hpp).
std::string format_in(const std::string& path);

// Written beside and renamed (io/atomic_file.hpp). The same tensors and metadata give the same bytes, whatever their
// order; they are the bytes of the reference implementation. Throws io, and config for names that repeat or are no
// UTF-8.
void write_safetensors(const OutputPlace& place, std::span<const NamedView> tensors,
                       const std::map<std::string, std::string>& metadata = {});
// The same, and the metadata hold the checksum of all bytes of the header and the data: for all files of ours.
void write_with_checksum(const OutputPlace& place, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata);
// Without commit().
void write_with_checksum(AtomicFile& file, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata);

}  // namespace statera
