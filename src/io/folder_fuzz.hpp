// Where fuzzers put the files that they make.
#pragma once
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace statera {

// A new folder for this process; mkdtemp() puts a name in place of the Xs.
inline std::string fuzz_folder() {
  char name[] = "/tmp/statera-fuzz-XXXXXX";
  if (!::mkdtemp(name)) std::abort();
  return name;
}

}  // namespace statera
