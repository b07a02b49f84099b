// Where the tests find the tree and the program. One source each is compiled with such a path, so that no other object
// of a test depends on where the tree lies.
#pragma once
#include <string>

namespace statera::test {

std::string source_path(const std::string& name);  // "data/README.md": from the root of the repository
std::string program_path();                        // the command `statera`; in tests of the command line alone

}  // namespace statera::test
