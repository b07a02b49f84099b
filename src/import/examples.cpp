#include "import/examples.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/check.hpp"
#include "io/safetensors.hpp"
#include "statera/tape.hpp"
#include "text/number.hpp"

namespace statera {

namespace {
constexpr double most_distance = 1e-3;  // f32 has about 1e-6; a wrong weight or convention 1e-1 and more
std::string file_of(const std::string& folder) { return folder + "/expected.safetensors"; }

double largest(const View& values) {
  double most = 0;
  for (int64_t i = 0; i < values.elements(); ++i) most = std::max(most, std::abs(values.as<double>()[i]));
  return most;
}
}  // namespace

std::optional<double> distance_from_examples(const std::string& folder, const Model& model) {
  std::error_code ignored;
  if (!std::filesystem::exists(file_of(folder), ignored)) return {};
  const SafetensorsFile file = SafetensorsFile::open(file_of(folder));
  const FileTensor *ids = file.find("ids"), *logits = file.find("logits");
  if (!ids || !logits) return {};
  require(ids->shape.rank() == 2 && ids->dtype == DType::i64 && logits->shape.rank() == 3 &&
              logits->shape[0] == ids->shape[0] && logits->shape[1] == ids->shape[1] &&
              logits->shape[2] == model.config().vocab_size,
          ErrorCode::io, file.path(), ": ids ", ids->shape, " and logits ", logits->shape,
          " do not belong to a model with ", model.config().vocab_size, " ids");
  const Tensor given = file.read(*ids), stored = file.read(*logits);
  Tokens tokens{.ids = {}, .offsets = {0}, .start = {}};
  for (int64_t s = 0; s < ids->shape[0]; ++s) {
    for (int64_t i = 0; i < ids->shape[1]; ++i)
      tokens.ids.push_back(static_cast<int32_t>(given.as<int64_t>()[s * ids->shape[1] + i]));
    tokens.offsets.push_back(static_cast<int32_t>(tokens.ids.size()));
    tokens.start.push_back(0);
  }
  Tape tape(model.device());
  const View found = tape.value(model.forward(tape, tokens));
  Tensor ours(DType::f64, found.shape), theirs(DType::f64, found.shape);
  copy(found, ours);
  copy(stored.view().reshaped(found.shape), theirs);
  const double scale = largest(theirs);
  for (int64_t i = 0; i < found.elements(); ++i) ours.as<double>()[i] -= theirs.as<double>()[i];
  return scale > 0 ? largest(ours) / scale : largest(ours);
}

void require_examples(const std::string& folder, double distance) {
  require(distance <= most_distance, ErrorCode::io, file_of(folder),
          ": the imported model gives other logits than these: they differ by ", fixed(100 * distance, 2),
          " % of the largest one; the weights are others, or the import is wrong");
}

}  // namespace statera
