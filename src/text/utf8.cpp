#include "text/utf8.hpp"

namespace statera {

namespace {
constexpr const char* replacement = "\xEF\xBF\xBD";
}

void Utf8Stream::push(unsigned char byte, std::string& out) {
  if (missing_ > 0) {
    if (byte >= low_ && byte <= high_) {
      part_ += static_cast<char>(byte);
      low_ = 0x80;
      high_ = 0xBF;
      if (--missing_ == 0) {
        out += part_;
        part_.clear();
      }
      return;
    }
    out += replacement;  // for the incomplete character; this byte starts a new one
    part_.clear();
    missing_ = 0;
    low_ = 0x80;
    high_ = 0xBF;
  }
  if (byte < 0x80) {
    out += static_cast<char>(byte);
    return;
  }
  if (byte < 0xC2 || byte > 0xF4) {
    out += replacement;
    return;
  }
  part_ = static_cast<char>(byte);
  missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  if (byte == 0xE0) low_ = 0xA0;
  if (byte == 0xED) high_ = 0x9F;
  if (byte == 0xF0) low_ = 0x90;
  if (byte == 0xF4) high_ = 0x8F;
}

}  // namespace statera
