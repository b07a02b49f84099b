// What bytes cost under counts alone, and under the mixture of counts and a model; both go on learning. Owns the
// counts. Not thread safe.
#pragma once
#include <functional>
#include <optional>
#include <utility>

#include "counts/counts.hpp"
#include "statera/data.hpp"
#include "statera/session.hpp"

namespace statera {

class MixedCost {
 public:
  // on: false makes an object that costs nothing and reads nothing.
  explicit MixedCost(bool on);
  // Goes on with counts that have read something already, and are made for one outside distribution.
  explicit MixedCost(Counts primed) : model_(std::move(primed)) {}

  // Lets the counts read a text before the one that is measured. Stops early if `stop` says so.
  void read(const ByteSource& source, const std::function<bool()>& stop);
  // For Session::score over these bytes. They and this object must live until it has returned. Null if off. The model
  // must predict bytes.
  Session::Predicted reader(std::span<const uint8_t> bytes);

  double counts() const { return counts_; }  // bits in total
  double both() const { return both_; }

 private:
  std::optional<Counts> model_;
  double counts_ = 0, both_ = 0;
};

}  // namespace statera
