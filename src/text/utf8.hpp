// Cuts a stream of bytes into whole UTF-8 characters (Unicode 15, table 3-7: no overlong forms, no surrogates). Keeps
// only the character that is not complete yet. One object per stream; not thread safe.
#pragma once
#include <string>

namespace statera {

class Utf8Stream {
 public:
  // Appends the characters that this byte completes to `out`. A byte that fits nowhere gives U+FFFD.
  void push(unsigned char byte, std::string& out);
  bool pending() const { return !part_.empty(); }  // whether a character is incomplete

 private:
  std::string part_;
  int missing_ = 0;
  unsigned char low_ = 0x80, high_ = 0xBF;  // the range of the next byte
};

}  // namespace statera
