#include "statera/sampler.hpp"

#include <algorithm>
#include <cmath>

#include "core/check.hpp"
#include "statera/random.hpp"

namespace statera {

Sampler::Sampler(SamplerOptions options) : options_(options) {
  const auto check = [](bool good, const char* name, double value, const char* range) {
    require(good, ErrorCode::config, "[sampler] ", name, " ", value, " is not ", range);
  };
  check(options.temperature >= 0 && options.temperature <= 100, "temperature", options.temperature, "in 0 to 100");
  check(options.top_k >= 0, "top_k", static_cast<double>(options.top_k), "at least 0");
  check(options.top_p > 0 && options.top_p <= 1, "top_p", options.top_p, "above 0 and at most 1");
  check(options.min_p >= 0 && options.min_p <= 1, "min_p", options.min_p, "in 0 to 1");
  check(options.repetition_penalty > 0 && options.repetition_penalty <= 100, "repetition_penalty",
        options.repetition_penalty, "above 0 and at most 100");
  check(options.repetition_window >= 0, "repetition_window", static_cast<double>(options.repetition_window),
        "at least 0");
}

void Sampler::observe(int32_t id) {
  if (options_.repetition_penalty == 1 || options_.repetition_window == 0) return;
  if (static_cast<int64_t>(recent_.size()) == options_.repetition_window) recent_.erase(recent_.begin());
  recent_.push_back(id);
}

int32_t Sampler::operator()(std::span<const float> logits) {
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    float logit = logits[i];
    require(!std::isnan(logit), ErrorCode::numeric, "[sampler] the logit of id ", id, " is nan");
    if (std::find(recent_.begin(), recent_.end(), id) != recent_.end())
      logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    candidates_.push_back({logit, id});
  }
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  });
  require(!candidates_.empty() && std::isfinite(candidates_[0].logit), ErrorCode::numeric,
          "[sampler] no logit is finite");
  int32_t chosen = candidates_[0].id;
  if (options_.temperature > 0) {
    size_t n = candidates_.size();
    if (options_.top_k > 0) n = std::min(n, static_cast<size_t>(options_.top_k));
    const auto weight = [&](size_t i) {  // relative to the most likely id
      return std::exp((static_cast<double>(candidates_[i].logit) - static_cast<double>(candidates_[0].logit)) /
                      static_cast<double>(options_.temperature));
    };
    double total = 0;
    for (size_t i = 0; i < n; ++i) total += weight(i);
    if (options_.top_p < 1) {
      double sum = 0;
      size_t kept = 0;
      while (kept < n && sum < static_cast<double>(options_.top_p) * total) sum += weight(kept++);
      n = std::max<size_t>(kept, 1);
    }
    while (n > 1 && weight(n - 1) < static_cast<double>(options_.min_p)) --n;
    total = 0;
    for (size_t i = 0; i < n; ++i) total += weight(i);
    double left = Random(options_.seed, "sampler").uniform(draws_++) * total;
    size_t i = 0;
    while (i + 1 < n && (left -= weight(i)) > 0) ++i;
    chosen = candidates_[i].id;
  }
  observe(chosen);
  return chosen;
}

}  // namespace statera
