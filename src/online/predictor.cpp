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
// The values that a description leaves out, to be short. They are part of the format: they stay even if the defaults of
// OnlineOptions change.
const OnlineOptions& left_out() {
  static const OnlineOptions usual{.lr = 3e-4,
                                   .segment = 256,
                                   .window = 512,
                                   .replay = 0,
                                   .warmup = 16,
                                   .pull = 0,
                                   .keep_bytes = int64_t{64} << 20,
                                   .seed = 0,
                                   .parameters = {}};
  return usual;
}

// What makes two predictors the same, beside the version of the format.
struct Description {
  std::string model;  // the fingerprint of its weights and its config
  OnlineOptions options = left_out();
  void visit(FieldVisitor& v) {
    v.field("model", model, "the fingerprint of the model");
    options.visit(v);
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
  require(
      d.model == mine, ErrorCode::config, "the data were compressed with the model ", d.model, ", this is ", mine,
      ": name the folder of that model, with the weights as they were (statera info FOLDER --fingerprint prints it)");
  return d.options;
}

Model checked(Model model) {
  require(model.device().kernels() == KernelChoice::portable, ErrorCode::config,
          "[predictor] the model is not for portable kernels");
  require(model.reads_bytes(), ErrorCode::config,
          "[predictor] the model does not read bytes, so it cannot predict those of any file");
  return model;
}
}  // namespace

ModelPredictor::ModelPredictor(Model model, const OnlineOptions& options)
    : fingerprint_(fingerprint_text(model.fingerprint())),
      longest_(model.config().learned_positions > 0 ? model.config().learned_positions - 1 : INT64_MAX),
      model_(checked(std::move(model)), options) {}

ModelPredictor::ModelPredictor(Model model, const std::string& description)
    : ModelPredictor(model, options_for(model, description)) {}

std::string ModelPredictor::description() const {
  using Json = nlohmann::ordered_json;
  const Json all = Json::parse(write_fields(Description{.model = fingerprint_, .options = model_.options()})),
             usual = Json::parse(write_fields(Description{.model = {}}));
  Json said;
  for (const auto& [key, value] : all.items())
    if (value != usual.at(key)) said[key] = value;
  return said.dump();
}

std::string model_in(const std::string& description) { return read_description(description).model; }

std::span<const float, 256> ModelPredictor::next() {
  p_ = probabilities(model_.next().first<256>());
  return p_;
}

// A model with learned positions reads up to the last of them and then starts again from an empty state.
void ModelPredictor::read(uint8_t byte) {
  model_.read(byte);
  if (++position_ < longest_) return;
  model_.next_document();
  position_ = 0;
}

std::array<float, 256> probabilities(std::span<const float, 256> logits) {
  std::array<float, 256> p;
  const float most = *std::ranges::max_element(logits);
  double sum = 0;
  for (size_t k = 0; k < 256; ++k) sum += static_cast<double>(p[k] = plain::exp(logits[k] - most));
  for (float& one : p) one = static_cast<float>(static_cast<double>(one) / sum);
  return p;
}

}  // namespace statera
