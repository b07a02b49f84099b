#include "core/check.hpp"

namespace statera {

void throw_error(ErrorCode code, std::string message) {
  constexpr size_t most = 1000;
  if (message.size() > most) {
    size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;  // no half of a UTF-8 character
    message.replace(end, std::string::npos, "...");
  }
  for (char& c : message)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  throw Error(code, message);
}

}  // namespace statera
