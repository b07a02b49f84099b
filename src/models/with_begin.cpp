#include "models/with_begin.hpp"

#include "core/check.hpp"

namespace statera {

Model with_begin(const Model& model, uint64_t seed) {
  ModelConfig config = model.config();
  require(!config.begin, ErrorCode::config, "[model] the model has an id for the beginning of a document already");
  require(model.weights() == WeightFormat::f32, ErrorCode::unsupported,
          "[model] a row of the embedding can be added to weights in f32 only");
  config.begin = true;
  Model grown(config, model.device(), {.dtype = model.dtype(), .training = true, .weights = {}, .tokenizer = {}});
  const std::vector<Parameter*> from = model.parameters(), to = grown.parameters();
  require(from.size() == to.size(), ErrorCode::config, "[model] the parameters depend on the beginning of a document");
  for (size_t i = 0; i < from.size(); ++i) {
    const Tensor& value = from[i]->value;
    const View& all = to[i]->value.view();
    const bool grows = all.elements() == value.view().elements() + config.d_model;
    require(from[i]->name == to[i]->name && (grows || all.shape == value.shape()), ErrorCode::config, "[model] ",
            to[i]->name, " depends on the beginning of a document");
    if (grows) to[i]->initialise(seed);
    copy(value, grows ? all.row_range(0, value.shape()[0]) : all);
    to[i]->changed();
  }
  if (model.units()) grown.set_units(model.units());
  return grown;
}

}  // namespace statera
