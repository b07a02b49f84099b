#include "support/paths.hpp"

namespace statera::test {

std::string source_path(const std::string& name) { return STATERA_SOURCE_DIR "/" + name; }

}  // namespace statera::test
