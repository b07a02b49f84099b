// Any bytes as a safetensors file: an Error, or a file whose every tensor lies inside it and that can be written and
// read again.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "io/atomic_file.hpp"
#include "io/folder_fuzz.hpp"
#include "io/safetensors.hpp"
#include "statera/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace statera;
  static const std::string folder = fuzz_folder();
  const std::string path = folder + "/x.safetensors", copy = folder + "/y.safetensors";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(data, 1, size, file) != size || std::fclose(file) != 0) std::abort();
  try {
    const SafetensorsFile read = SafetensorsFile::open(path);
    unsigned sum = 0;
    std::vector<Tensor> tensors;
    std::vector<NamedView> views;
    for (const FileTensor& tensor : read.tensors()) {
      views.push_back({tensor.name, tensors.emplace_back(read.read(tensor))});
      for (size_t i = 0; i < tensor.bytes(); ++i) sum += static_cast<const uint8_t*>(views.back().view.data)[i];
    }
    if (sum % 16 != 0) return 0;  // writing is slow: for one in sixteen
    write_safetensors(copy, views, read.metadata());
    const SafetensorsFile again = SafetensorsFile::open(copy);
    if (again.tensors().size() != read.tensors().size() || again.metadata() != read.metadata()) std::abort();
    for (size_t i = 0; i < read.tensors().size(); ++i) {
      const FileTensor &a = read.tensors()[i], &b = again.tensors()[i];
      if (a.name != b.name || a.dtype != b.dtype || !(a.shape == b.shape)) std::abort();
      if (a.bytes() && std::memcmp(views[i].view.data, again.read(b).view().data, a.bytes()) != 0) std::abort();
    }
  } catch (const Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();  // one line
  }
  return 0;
}
