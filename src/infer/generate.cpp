#include <algorithm>

#include "core/check.hpp"
#include "statera/sampler.hpp"
#include "statera/session.hpp"
#include "text/utf8.hpp"

namespace statera {

namespace {
// Holds back the end of the text while it may be the beginning of a stop string.
class StopFilter {
 public:
  explicit StopFilter(const std::vector<std::string>& stops) : stops_(stops) {}
  bool stopped() const { return stopped_; }

  // Appends to `out` what certainly comes before any stop string.
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
    size_t keep = 0;  // the longest end of held_ with which a stop string begins
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

// The characters at the beginning of `text` that fit into `bytes`.
std::string_view fitting(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}
}  // namespace

int64_t generate(const Model& model, std::string_view prompt, const GenerateOptions& options,
                 const std::function<bool(std::string_view)>& on_text) {
  require(options.max_bytes >= 0, ErrorCode::config, "[generate] max_bytes ", options.max_bytes, " is negative");
  Sampler sample({.temperature = options.temperature,
                  .top_k = options.top_k,
                  .top_p = options.top_p,
                  .min_p = options.min_p,
                  .repetition_penalty = options.repetition_penalty,
                  .seed = options.seed});
  const Units& units = *model.units();
  const std::vector<int32_t> before = units.ids(prompt);
  const std::unique_ptr<UnitReader> reader = units.reader();
  for (const int32_t id : before) {
    sample.observe(id);
    reader->push(id);
  }
  Session session(model, {.rewind_bytes = 0, .warn = options.warn});
  std::span<const float> logits = session.prefill(before);
  Utf8Stream utf8;
  StopFilter stop(options.stop);
  std::string characters, piece;
  int64_t bytes = 0;
  bool going = options.max_bytes > 0;
  // U+FFFD takes three bytes for one byte of the model, and a token may have many, so the text may be full before
  // max_bytes steps.
  const auto emit = [&] {
    const std::string_view whole = fitting(piece, static_cast<size_t>(options.max_bytes - bytes));
    bytes += static_cast<int64_t>(whole.size());
    going &= whole.size() == piece.size() && bytes < options.max_bytes;
    if (!whole.empty()) going &= on_text(whole);
    piece.clear();
  };
  for (int64_t n = 1; going; ++n) {
    const int32_t id = sample(logits);
    if (units.ends_text(id)) break;
    characters.clear();
    for (const char byte : reader->push(id)) {
      if (options.raw)
        characters += byte;
      else
        utf8.push(static_cast<unsigned char>(byte), characters);
    }
    stop.push(characters, piece);
    emit();
    if (stop.stopped()) return bytes;
    if (n == options.max_bytes) break;
    if (going) logits = session.step(id);
  }
  if (going) {
    stop.finish(piece);
    emit();
  }
  return bytes;
}

std::string generate(const Model& model, std::string_view prompt, const GenerateOptions& options) {
  std::string text;
  generate(model, prompt, options, [&](std::string_view piece) {
    text += piece;
    return true;
  });
  return text;
}

}  // namespace statera
