#include "core/check.hpp"

#include <string_view>

#include "core/characters.hpp"

namespace statera {

void throw_error(ErrorCode code, std::string message) {
  constexpr size_t most = 1000;
  if (message.size() > most) {
    size_t end = most;
    // do not cut within a UTF-8 character
    while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
    message.replace(end, std::string::npos, "...");
  }
  constexpr char hex[] = "0123456789abcdef";
  std::string line;
  for (std::string_view rest = message; !rest.empty();) {
    const auto byte = static_cast<unsigned char>(rest[0]);
    const size_t size = shown_character(rest);
    if (size > 0)
      line += rest.substr(0, size);
    else if (byte < 0x80)
      line += '?';
    else
      line += {'\\', 'x', hex[byte >> 4], hex[byte & 15]};
    rest.remove_prefix(size > 0 ? size : 1);
  }
  throw Error(code, line);
}

}  // namespace statera
