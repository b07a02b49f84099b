#include "online/predictor.hpp"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "core/plain_math.hpp"
#include "io/json_fields.hpp"
#include "statera/fields.hpp"

namespace statera {

namespace {
// What makes two predictors the same, beside the program's version of the format.
struct Description {
  std::string model;  // the fingerprint of its weights and its config
  OnlineOptions options;
  void visit(FieldVisitor& v) {
    v.field("model", model, "the fingerprint of the model");
    v.field("lr", options.lr, "learning rate of the steps while reading");
    v.field("segment", options.segment, "bytes between two steps");
    v.field("window", options.window, "bytes that a step learns from");
    v.field("replay", options.replay, "further windows per step");
    v.field("warmup", options.warmup, "steps over which the learning rate rises");
    v.field("pull", options.pull, "share of the way back to the trained weights per step");
    v.field("keep_bytes", options.keep_bytes, "most memory for earlier text");
    v.field("seed", options.seed, "seed of the places of earlier windows");
  }
};

Description read_description(const std::string& text) {
  Description d;
  read_fields({text, "the description of the model in the compressed data"}, d);
  return d;
}

OnlineOptions options_for(const Model& model, const std::string& description) {
  const Description d = read_description(description);
  const std::string mine = fingerprint_text(model.fingerprint());
  require(d.model == mine, ErrorCode::config, "the data were compressed with the model ", d.model, ", this is ", mine,
          ": name the folder of that model, with the weights as they were");
  return d.options;
}

Model checked(Model model) {
  require(model.device().kernels() == KernelChoice::portable, ErrorCode::config,
          "[predictor] the model is not for portable kernels");
  require(model.config().vocab_size == 256, ErrorCode::config,
          "[predictor] the model does not read bytes, so it cannot predict those of any file");
  return model;
}
}  // namespace

ModelPredictor::ModelPredictor(Model model, const OnlineOptions& options)
    : fingerprint_(fingerprint_text(model.fingerprint())),
      options_(options),
      model_(checked(std::move(model)), options) {}

ModelPredictor::ModelPredictor(Model model, const std::string& description)
    : ModelPredictor(model, options_for(model, description)) {}

std::string ModelPredictor::description() const {
  // Only what differs from the defaults, since it is a part of short files too.
  using Json = nlohmann::ordered_json;
  const Json all = Json::parse(write_fields(Description{.model = fingerprint_, .options = options_})),
             usual = Json::parse(write_fields(Description{.model = {}, .options = {}}));
  Json said;
  for (const auto& [key, value] : all.items())
    if (value != usual.at(key)) said[key] = value;
  return said.dump();
}

std::string model_in(const std::string& description) { return read_description(description).model; }

std::span<const float, 256> ModelPredictor::next() {
  const std::span<const float> logits = model_.next().first(256);
  const float most = *std::ranges::max_element(logits);
  double sum = 0;
  for (size_t k = 0; k < 256; ++k) sum += static_cast<double>(p_[k] = plain::exp(logits[k] - most));
  for (float& p : p_) p = static_cast<float>(static_cast<double>(p) / sum);
  return p_;
}

}  // namespace statera
