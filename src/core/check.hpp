// Error messages. fail() throws. require() is for checks at the edges, never inside kernels. Its parts are evaluated at
// every call, but turned into text only for an error: pass shapes and numbers, not strings that are built for the
// message.
#pragma once
#include <locale>
#include <sstream>
#include <string>

#include "statera/error.hpp"

namespace statera {

// Throws the message as one line of at most 1,000 bytes, whatever names from files or the command line it contains.
[[noreturn]] void throw_error(ErrorCode, std::string message);

template <class... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts&... parts) {
  std::ostringstream message;
  message.imbue(std::locale::classic());
  (message << ... << parts);
  throw_error(code, message.str());
}

template <class... Parts>
void require(bool good, ErrorCode code, const Parts&... parts) {
  if (!good) [[unlikely]]
    fail(code, parts...);
}

}  // namespace statera
