#include "import/import.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <set>

#include "core/check.hpp"
#include "import/importers.hpp"
#include "io/json.hpp"
#include "io/safetensors.hpp"
#include "models/model_files.hpp"

namespace statera {

const Importer* importer_for(const std::string& folder) {
  const JsonText config = read_config(folder);
  for (const Importer* importer : importers())
    if (importer->knows(config)) return importer;
  return nullptr;
}

namespace {
// Dimensions of 1 do not count: [C, 1, W] is the same as [C, W].
std::vector<int64_t> without_ones(const Shape& shape) {
  std::vector<int64_t> dims;
  for (const int64_t dim : shape)
    if (dim != 1) dims.push_back(dim);
  return dims;
}

// A floating-point tensor as f32 or f64.
Tensor read_floats(const SafetensorsFile& file, const FileTensor& found) {
  if (found.dtype == DType::f32 || found.dtype == DType::f64) return file.read_finite(found);
  require(found.dtype == DType::bf16, ErrorCode::unsupported, file.path(), ": ", found.name, ": dtype ",
          name_of(found.dtype), "; expected f32, f64 or bf16");
  const Tensor raw = file.read(found);
  const auto* halves = static_cast<const uint16_t*>(raw.view().data);
  Tensor floats(DType::f32, found.shape);
  for (int64_t i = 0; i < found.shape.elements(); ++i) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(halves[i]) << 16);
    require(std::isfinite(value), ErrorCode::io, file.path(), ": ", found.name, ": a value is not finite");
    floats.as<float>()[i] = value;
  }
  return floats;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.view().data, b.view().data, a.view().bytes()) == 0;
}

void fill(const Parameter& p, const View& from, bool halves_swapped) {
  const View theirs = from.reshaped(p.shape);
  if (!halves_swapped) return copy(theirs, p.value);
  const int64_t half = p.shape[0] / 2;
  copy(theirs.row_range(half, half), p.value.view().row_range(0, half));
  copy(theirs.row_range(0, half), p.value.view().row_range(half, half));
}
}  // namespace

Model import_model(const std::string& folder, Device device, ModelOptions options) {
  const Importer* importer = importer_for(folder);
  std::string known;
  for (const Importer* one : importers()) known += (known.empty() ? "" : ", ") + std::string(one->name);
  require(importer, ErrorCode::unsupported, "'", folder,
          "' is no published model of a kind that can be imported; known: ", known);
  require(options.weights.value_or(WeightFormat::f32) == WeightFormat::f32, ErrorCode::unsupported, "'", folder,
          "' is a published model, which is read as f32; make int8 or int4 from the folder that this gives");
  Model model(importer->config(read_config(folder)), std::move(device), options);
  const SafetensorsFile file = SafetensorsFile::open(folder + "/model.safetensors");
  std::set<std::string_view> used;
  for (Parameter* p : model.parameters()) {
    const TheirTensor theirs = importer->tensor(model.config(), p->name);
    const FileTensor& found = file.at(theirs.name);
    require(without_ones(found.shape) == without_ones(p->shape), ErrorCode::io, file.path(), ": ", theirs.name,
            ": shape ", found.shape, ", but config.json asks for ", p->shape);
    used.insert(found.name);
    fill(*p, read_floats(file, found), theirs.halves_swapped);
    p->changed();
  }
  for (const FileTensor& tensor : file.tensors()) {
    if (const std::string first = importer->repeated(model.config(), tensor.name); !first.empty()) {
      require(same(read_floats(file, tensor), read_floats(file, file.at(first))), ErrorCode::io, file.path(), ": ",
              tensor.name, ": differs from ", first, ", though config.json ties them");
      continue;
    }
    require(used.contains(tensor.name), ErrorCode::io, file.path(), ": ", tensor.name,
            ": unexpected; config.json has no such tensor");
  }
  return model;
}

}  // namespace statera
