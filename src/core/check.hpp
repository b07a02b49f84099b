// Building error messages. fail() throws; require() is for checks at the edges, never inside kernels; its parts are
// evaluated at every call and put together only for an error, so pass a shape or a number, never a string made for the
// message.
#pragma once
#include <locale>
#include <sstream>
#include <string>

#include "statera/error.hpp"

namespace statera {

// Throws with the message as one line of at most 1,000 bytes, whatever names from files or the command line it quotes.
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
