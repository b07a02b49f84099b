// The public safetensors format: 8 bytes with the length of a JSON header (little-endian), the header {"__metadata__":
// {text: text}, NAME: {"dtype", "shape", "data_offsets": [begin, end]}, ...}, then the tensors without gaps.
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

// A tensor in a file that has not been read yet.
struct FileTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  uint64_t offset = 0;  // of its data, from the beginning of the file
  size_t bytes() const { return static_cast<size_t>(shape.elements()) * size_of(dtype); }
};

// A file that has been checked as a whole: every tensor lies inside it, none overlaps another, and the bytes match the
// checksum, which files of ours contain. The values have not been looked at. Only the header is in memory; check the
// shape of a tensor before you read it. Owns the open file; const members may be called from several threads.
class SafetensorsFile {
 public:
  enum class Check { all, header };  // header: reads no data and so compares no checksum

  // Throws ErrorCode::io if the file is missing or violates the format, ErrorCode::unsupported for an element type or
  // rank that the engine lacks. The message names the file, the tensor and what was expected. `by_hand`, " (...)", is
  // appended to the message about a wrong checksum.
  static SafetensorsFile open(const std::string& path, Check check = Check::all, const std::string& by_hand = "");

  const std::string& path() const { return file_.path(); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }  // without the checksum
  bool has_checksum() const { return has_checksum_; }
  // Throws ErrorCode::io if the file has no checksum. For files whose format always has one.
  void require_checksum() const;
  // In order of names. Borrowed from this object, which may be moved.
  std::span<const FileTensor> tensors() const { return tensors_; }
  const FileTensor* find(std::string_view name) const;  // null if there is none
  const FileTensor& at(std::string_view name) const;    // throws ErrorCode::io, naming the file and the closest name
  // throws ErrorCode::io, also if the file was written to since it was opened
  Tensor read(const FileTensor& tensor) const;
  // f32 or f64; throws ErrorCode::io also for a value that is not finite
  Tensor read_finite(const FileTensor& tensor) const;

 private:
  InputFile file_;
  std::map<std::string, std::string> metadata_;
  bool has_checksum_ = false;
  std::vector<FileTensor> tensors_;
};

// The "format" in the metadata of a file, even if its tensors are cut; empty if it has none or cannot be read. It does
// not count as reading the file (core/inputs.hpp).
std::string format_in(const std::string& path);

// Writes a file through AtomicFile. Equal tensors and metadata give the same bytes, whatever their order; they are the
// bytes of the reference implementation. Throws ErrorCode::io, and ErrorCode::config for names that repeat or are not
// UTF-8.
void write_safetensors(const OutputPlace& place, std::span<const NamedView> tensors,
                       const std::map<std::string, std::string>& metadata = {});
// The same, with a checksum of all header and data bytes in the metadata. All files of ours are written by it.
void write_with_checksum(const OutputPlace& place, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata);
// The same, without commit().
void write_with_checksum(AtomicFile& file, std::span<const NamedView> tensors,
                         const std::map<std::string, std::string>& metadata);

}  // namespace statera
