// A model as the predictor of compressed data: it learns while it reads, with portable kernels, so that it says the
// same bits on every machine.
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "counts/compressed.hpp"
#include "statera/online.hpp"

namespace statera {

// Predicts one document. It changes the weights, which all handles of `model` share, so nobody else may use the model
// while this lives. Not thread safe.
class ModelPredictor : public Predictor {
 public:
  // `model` must be over bytes, with f32 weights, made for training (ModelOptions::training) and for a Device with
  // KernelChoice::portable. Throws ErrorCode::config if it is not, or an option is out of range.
  ModelPredictor(Model model, const OnlineOptions& options);
  // The same from a description. Throws ErrorCode::config if `model` is not the one that the data were compressed with,
  // or for what is no description.
  ModelPredictor(Model model, const std::string& description);

  std::string description() const override;
  std::span<const float, 256> next() override;
  void read(uint8_t byte) override;

 private:
  std::string fingerprint_;
  int64_t longest_, position_ = 0;
  OnlineModel model_;
  std::array<float, 256> p_{};
};

// The softmax, with the same bits on every machine. NaN where a logit is NaN.
std::array<float, 256> probabilities(std::span<const float, 256> logits);

// The fingerprint in a description, for messages.
std::string model_in(const std::string& description);

}  // namespace statera
