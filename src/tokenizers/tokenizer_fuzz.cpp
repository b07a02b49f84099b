// Any bytes as a tokenizer of any format: an Error of one line, or a tokenizer that encodes, decodes and streams.
#include <cstdlib>
#include <string>

#include "statera/error.hpp"
#include "statera/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace statera;
  try {
    const Tokenizer tokenizer = Tokenizer::parse(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    for (const char* text : {"", "Hello  world's 12\n\xC3\xA9\xE4\xB8\xAD<s> ab", "\xFF\xC3 a"}) try {
        const std::vector<int32_t> ids = tokenizer.encode(text).ids;
        const std::string bytes = tokenizer.decode_bytes(ids);
        TokenStream stream(tokenizer);
        std::string streamed;
        for (const int32_t id : ids) streamed += stream.push_bytes(id);
        tokenizer.decode(ids, true);
      } catch (const Error& error) {
        if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
      }
  } catch (const Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
