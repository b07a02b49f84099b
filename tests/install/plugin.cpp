// The library inside a shared library, as an extension of another program has it.
#include <cstring>
#include <statera/statera.hpp>

extern "C" int plugin_generate(const char* folder, char* text, int size) {
  const auto model = statera::Model::load(folder);
  const std::string all = statera::generate(model, "ROMEO:", {.max_bytes = size - 1, .seed = 1});
  std::memcpy(text, all.c_str(), all.size() + 1);
  return static_cast<int>(all.size());
}
