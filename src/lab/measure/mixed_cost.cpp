#include "lab/measure/mixed_cost.hpp"

#include <array>

#include "core/machine.hpp"
#include "online/predictor.hpp"

namespace statera {

MixedCost::MixedCost(bool on) {
  if (!on) return;
  const CountsOptions options{.outside = 1};
  require_memory(static_cast<double>(options.memory_bytes), "counting contexts", "leave --counts out");
  model_.emplace(options);
}

void MixedCost::read(const ByteSource& source, const std::function<bool()>& stop) {
  for (int64_t d = 0; d < source.documents(); ++d)
    for (size_t i = 0; const uint8_t byte : source.document(d)) {
      if (i++ % 65536 == 0 && stop && stop()) return;
      model_->code(byte);
    }
}

Session::Predicted MixedCost::reader(std::span<const uint8_t> bytes) {
  if (!model_) return {};
  return [this, bytes](size_t i, std::span<const float> logits) {
    const std::array<float, 256> p = probabilities(logits.first<256>());
    const std::array outside{std::span<const float, 256>(p)};
    const CountsCost cost = model_->code(bytes[i], outside);
    counts_ += cost.counts;
    both_ += cost.all;
  };
}

}  // namespace statera
