// Golden files that are packed. For tests of what is linked with the lab.
#pragma once
#include <string>

#include "statera/data.hpp"

namespace statera::test {

inline std::string unpacked(const std::string& path) {
  const ByteSource source(path);
  const auto bytes = source.document(0);
  return {bytes.begin(), bytes.end()};
}

}  // namespace statera::test
