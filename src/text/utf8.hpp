// Whole UTF-8 characters out of a stream of bytes (Unicode 15, table 3-7: no overlong forms, no surrogates).
#pragma once
#include <string>

namespace statera {

class Utf8Stream {
 public:
  // The characters that this byte completes, appended to `out`; a byte that fits nowhere gives U+FFFD.
  void push(unsigned char byte, std::string& out);
  bool pending() const { return !part_.empty(); }  // inside a character

 private:
  std::string part_;
  int missing_ = 0;
  unsigned char low_ = 0x80, high_ = 0xBF;  // the next byte's range
};

}  // namespace statera
