// All tensors of a safetensors file, read, so that a test can write them again with a change.
#pragma once
#include <vector>

#include "io/safetensors.hpp"

namespace statera::test {

struct FileTensors {
  explicit FileTensors(const SafetensorsFile& file) {
    for (const FileTensor& tensor : file.tensors())
      views.push_back({tensor.name, kept.emplace_back(file.read(tensor))});
  }
  FileTensors(const FileTensors&) = delete;
  FileTensors& operator=(const FileTensors&) = delete;

  std::vector<Tensor> kept;
  std::vector<NamedView> views;  // by name
};

}  // namespace statera::test
