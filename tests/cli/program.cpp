#include "support/paths.hpp"

namespace statera::test {

std::string program_path() { return STATERA_PROGRAM; }

}  // namespace statera::test
