#include "mixers/mixer.hpp"

namespace statera {

void Cuts::add(const View& p, std::span<const int32_t> cut) {
  const auto first = static_cast<int64_t>(probability.size());
  for (const int32_t row : cut) rows.push_back(first + row);
  for (int64_t i = 0; i < p.rows(); ++i)
    probability.push_back(p.dtype == DType::f64 ? static_cast<float>(p.as<double>()[i]) : p.as<float>()[i]);
}

}  // namespace statera
