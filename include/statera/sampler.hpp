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

// Applied in this order: repetition penalty, temperature, top-k, top-p, min-p.
struct SamplerOptions {
  float temperature = 1;         // 0: always the likeliest id
  int64_t top_k = 0;             // only the k likeliest; 0: all
  float top_p = 1;               // the fewest likeliest that together have this probability (Holtzman et al., 2020)
  float min_p = 0;               // at least this share of the likeliest one's probability (Nguyen et al., 2024)
  float repetition_penalty = 1;  // divides positive and multiplies negative logits of recent ids (Keskar et al., 2019)
  int64_t repetition_window = 64;
  uint64_t seed = 0;
};

// Draw i of a seed is the same number everywhere. Throws config for options outside their range.
class Sampler {
 public:
  explicit Sampler(SamplerOptions options = {});
  int32_t operator()(std::span<const float> logits);  // throws numeric if no logit is finite
  void observe(int32_t id);                           // an id of the prompt, for the repetition penalty

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
  int64_t max_bytes = 400;  // of text, at most
  float temperature = 0.8f;
  int64_t top_k = 0;
  float top_p = 1, min_p = 0, repetition_penalty = 1;
  uint64_t seed = 0;
  std::vector<std::string> stop = {};  // ends before the first of these
  bool raw = false;  // bytes as they come; else only whole UTF-8 characters, bytes that are none become U+FFFD
  std::function<void(const std::string&)> warn = {};  // as SessionOptions::warn
};

// Streams the continuation of the prompt, without it: `on_text` gets each piece as soon as it is certain, and returns
// false to end early. Keeps nothing of the text; returns its bytes. For models over bytes. Throws unsupported for other
// vocabularies, config for a bad option.
int64_t generate(const Model& model, std::string_view prompt, const GenerateOptions& options,
                 const std::function<bool(std::string_view)>& on_text);
// The same as one string.
std::string generate(const Model& model, std::string_view prompt, const GenerateOptions& options = {});

}  // namespace statera
