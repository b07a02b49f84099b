// The public safetensors format: 8 bytes with the length of a JSON header (little-endian), the header
// {"__metadata__": {text: text}, NAME: {"dtype", "shape", "data_offsets": [begin, end]}, ...}, then the tensors without gaps.
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/mapped_file.hpp"
#include "statera/tensor.hpp"

namespace statera {

struct NamedView {
  std::string name;
  View view;
};

// A file that was checked as a whole: every View lies inside it and none overlaps another. The values themselves are not looked at.
class SafetensorsFile {
 public:
  // Throws io for a file that is missing or breaks the format, unsupported for an element type or a rank that the engine lacks;
  // one line with the file, the tensor and what was expected.
  static SafetensorsFile open(const std::string& path);

  const std::string& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  std::span<const NamedView> tensors() const { return tensors_; }  // by name; borrowed from this object, which may be moved
  const View* find(std::string_view name) const;                   // null if there is none
  View at(std::string_view name) const;                            // throws io, naming the file and the nearest name

 private:
  std::string path_;
  MappedFile file_;
  std::vector<Tensor> copies_;  // of tensors that the file does not align to their element type
  std::map<std::string, std::string> metadata_;
  std::vector<NamedView> tensors_;
};

// Written beside and renamed (io/atomic_file.hpp). The same tensors and metadata give the same bytes, whatever their order; they are the
// bytes of the reference implementation. Throws io, and config for names that repeat or are no UTF-8.
void write_safetensors(const std::string& path, std::span<const NamedView> tensors, const std::map<std::string, std::string>& metadata = {});

}  // namespace statera
