#include "counts/outside.hpp"

#include "core/check.hpp"

namespace statera::counts {

void Outside::set(std::span<const float, 256> p) {
  for (size_t byte = 0; byte < 256; ++byte) {
    // A product with a power of two is exact, so all machines get the same whole number.
    require(p[byte] >= 0 && p[byte] <= 1.001f, ErrorCode::numeric, "[counts] the outside probability of byte ", byte,
            " is ", p[byte], ": it must be between 0 and 1");
    below_[256 + byte] = static_cast<uint64_t>(p[byte] * float{1 << 30}) + 1;
  }
  for (size_t prefix = 255; prefix > 0; --prefix) below_[prefix] = below_[2 * prefix] + below_[2 * prefix + 1];
}

}  // namespace statera::counts
