#include "lab/ppmd/cost.hpp"

#include <numbers>
#include <utility>

namespace statera {

namespace {

// Calls body(byte) for all bytes until it returns false. Returns the number of calls.
template <class Body>
int64_t read(const ByteSource& source, const std::function<void()>& often, Body body) {
  constexpr int64_t pause = int64_t{1} << 16;
  int64_t done = 0;
  for (int64_t d = 0; d < source.documents(); ++d)
    for (const uint8_t byte : source.document(d)) {
      if (often && done % pause == 0) often();
      if (!body(byte)) return done;
      ++done;
    }
  return done;
}

// A model that forgets everything in the middle of the text would start the held-out text with the little it has read
// since. So if the text does not fit, the model reads only the last nine tenths of what fits.
PpmdCost one_order(const ByteSource& train, const ByteSource& held_out, int order, const PpmdCostOptions& options) {
  Ppmd model({.order = order, .memory = options.memory});
  const auto learn = [&](uint8_t byte) {
    model.code(byte);
    return model.restarts() == 0;
  };
  int64_t learned = read(train, options.often, learn);
  if (learned < train.bytes()) {
    learned = learned / 10 * 9;
    model = Ppmd({.order = order, .memory = options.memory});
    read(train.part(train.bytes() - learned, train.bytes()), options.often, [&](uint8_t byte) {
      model.code(byte);
      return true;
    });
  }
  PpmdCost cost{.order = order, .train_bytes = learned};
  cost.nats.reserve(static_cast<size_t>(held_out.bytes()));
  double nats = 0;
  read(held_out, options.often, [&](uint8_t byte) {
    const double cost_of_byte = model.code(byte);
    nats += cost_of_byte;
    cost.nats.push_back(static_cast<float>(cost_of_byte));
    return true;
  });
  cost.bits_per_byte = nats / std::numbers::ln2 / static_cast<double>(held_out.bytes());
  return cost;
}

}  // namespace

PpmdCost ppmd_cost(const ByteSource& train, const ByteSource& held_out, const PpmdCostOptions& options) {
  PpmdCost best;
  for (const int order : options.orders) {
    PpmdCost cost = one_order(train, held_out, order, options);
    if (best.order == 0 || cost.bits_per_byte < best.bits_per_byte) best = std::move(cost);
  }
  return best;
}

}  // namespace statera
