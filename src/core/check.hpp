// Building error messages. fail() throws; require() is for checks at the edges, never inside kernels.
#pragma once
#include <sstream>

#include "statera/error.hpp"

namespace statera {

template <class... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(code, message.str());
}

template <class... Parts>
void require(bool good, ErrorCode code, const Parts&... parts) {
  if (!good) [[unlikely]] fail(code, parts...);
}

}  // namespace statera
