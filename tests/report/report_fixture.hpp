// tests/report/fixture.json: a report with made-up figures.
#pragma once
#include <fstream>
#include <iterator>
#include <string>

#include "support/paths.hpp"

namespace statera {

inline std::string fixture_text() {
  std::ifstream file(test::source_path("tests/report/fixture.json"), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace statera
