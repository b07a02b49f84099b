#include <algorithm>

#include "core/check.hpp"
#include "statera/sampler.hpp"
#include "statera/session.hpp"
#include "text/utf8.hpp"

namespace statera {

namespace {
// The text so far, up to where a stop string may still begin.
class StopFilter {
 public:
  explicit StopFilter(const std::vector<std::string>& stops) : stops_(stops) {}
  bool stopped() const { return stopped_; }

  // Appends to `out` what is certain to come before any stop string.
  void push(std::string_view text, std::string& out) {
    held_ += text;
    size_t found = std::string::npos;
    for (const std::string& stop : stops_)
      if (!stop.empty()) found = std::min(found, held_.find(stop));
    if (found != std::string::npos) {
      stopped_ = true;
      out += held_.substr(0, found);
      held_.clear();
      return;
    }
    size_t keep = 0;  // the longest end of held_ that begins a stop string
    for (const std::string& stop : stops_)
      for (size_t n = std::min(stop.size(), held_.size()); n > keep; --n)
        if (held_.compare(held_.size() - n, n, stop, 0, n) == 0) keep = n;
    out += held_.substr(0, held_.size() - keep);
    held_.erase(0, held_.size() - keep);
  }
  void finish(std::string& out) { out += held_; }

 private:
  const std::vector<std::string>& stops_;
  std::string held_;
  bool stopped_ = false;
};
}  // namespace

std::string generate(const Model& model, std::string_view prompt, const GenerateOptions& options,
                     const std::function<bool(std::string_view)>& on_text) {
  require(model.config().vocab_size == 256, ErrorCode::unsupported, "[generate] the model's vocabulary has ", model.config().vocab_size,
          " ids, not the 256 bytes");
  require(options.max_bytes >= 0, ErrorCode::config, "[generate] max_bytes ", options.max_bytes, " is negative");
  Sampler sample({.temperature = options.temperature, .top_k = options.top_k, .top_p = options.top_p, .min_p = options.min_p,
                  .repetition_penalty = options.repetition_penalty, .seed = options.seed});
  for (char c : prompt) sample.observe(static_cast<unsigned char>(c));
  Session session(model, {.rewind_bytes = 0});
  std::span<const float> logits = session.prefill(prompt);
  Utf8Stream utf8;
  StopFilter stop(options.stop);
  std::string text, characters, piece;
  for (int64_t n = 0; n < options.max_bytes && !stop.stopped(); ++n) {
    const int32_t id = sample(logits);
    characters.clear();
    piece.clear();
    if (options.raw) characters += static_cast<char>(id);
    else utf8.push(static_cast<unsigned char>(id), characters);
    stop.push(characters, piece);
    text += piece;
    if (!piece.empty() && on_text && !on_text(piece)) return text;
    if (n + 1 < options.max_bytes && !stop.stopped()) logits = session.step(id);
  }
  piece.clear();
  if (!stop.stopped()) stop.finish(piece);
  if (!piece.empty() && on_text) on_text(piece);
  return text + piece;
}

}  // namespace statera
