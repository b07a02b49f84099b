// From logits to an id, and from a prompt to text.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace statera {

class Model;

// The options apply in this order: repetition penalty, temperature, top-k, top-p, min-p.
struct SamplerOptions {
  float temperature = 1;  // 0: always the most likely id
  int64_t top_k = 0;      // keep only the k most likely ids; 0: all
  float top_p = 1;  // keep the fewest most likely ids whose probabilities sum to at least this (Holtzman et al., 2020)
  float min_p = 0;  // keep ids with at least this fraction of the highest probability (Nguyen et al., 2024)
  // positive logits of recent ids are divided by it, negative ones multiplied (Keskar et al., 2019)
  float repetition_penalty = 1;
  int64_t repetition_window = 64;  // how many ids count as recent
  uint64_t seed = 0;
};

// Samples ids from logits. Draw number i of a seed is the same on every machine. Remembers the recent ids, so use one
// Sampler per text. Not thread safe. The constructor throws ErrorCode::config for an option outside its range.
class Sampler {
 public:
  explicit Sampler(SamplerOptions options = {});
  int32_t operator()(std::span<const float> logits);  // throws ErrorCode::numeric if a logit is NaN or none is finite
  void observe(int32_t id);                           // tells the repetition penalty about an id of the prompt

 private:
  struct Candidate {
    float logit;
    int32_t id;
  };
  SamplerOptions options_;
  uint64_t draws_ = 0;
  std::vector<int32_t> recent_;
  std::vector<Candidate> candidates_;
};

struct GenerateOptions {
  int64_t max_bytes = 400;  // largest length of the text
  float temperature = 0.8f;
  int64_t top_k = 0;
  float top_p = 1, min_p = 0, repetition_penalty = 1;
  uint64_t seed = 0;
  std::vector<std::string> stop = {};  // the text ends before the first of these
  // false: the text is valid UTF-8, and bytes that are not become U+FFFD; true: the bytes as the model emits them
  bool raw = false;
  std::function<void(const std::string&)> warn = {};  // see SessionOptions::warn
};

// Streams the continuation of the prompt, without the prompt itself. `on_text` receives each piece as soon as it is
// certain, and returns false to stop early. The text also ends where the model's units say so (Units::ends_text).
// Returns the number of bytes; keeps none of the text. Throws ErrorCode::config for an invalid option, and for a model
// that reads ids of unknown meaning (Model::units).
int64_t generate(const Model& model, std::string_view prompt, const GenerateOptions& options,
                 const std::function<bool(std::string_view)>& on_text);
// Returns the whole continuation as one string.
std::string generate(const Model& model, std::string_view prompt, const GenerateOptions& options = {});

}  // namespace statera
