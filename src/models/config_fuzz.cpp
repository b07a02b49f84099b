// Any bytes as a model's config: an Error of one line, or a config that is written and read again as the same.
#include <cstdlib>
#include <string>

#include "statera/config.hpp"
#include "statera/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace statera;
  try {
    const ModelConfig config = ModelConfig::parse(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    const std::string text = config.json();
    if (ModelConfig::parse(text, "again").json() != text) std::abort();
  } catch (const Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
