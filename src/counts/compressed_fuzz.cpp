// Any bytes as compressed data: an Error, or data that compress and decompress to themselves.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "counts/compressed.hpp"
#include "statera/error.hpp"

namespace {
struct Enough {};  // thrown where an input would take too long or too much memory
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace statera;
  const auto decompress = [](std::span<const uint8_t> bytes) {
    const auto source = [&](std::span<uint8_t> to) {
      const size_t n = std::min(to.size(), bytes.size());
      std::copy_n(bytes.begin(), n, to.begin());
      bytes = bytes.subspan(n);
      return n;
    };
    int calls = 0;
    Decompressor decompressor(source, {.name = "x",
                                       .check_memory =
                                           [](int64_t memory) {
                                             if (memory > int64_t{24} << 20) throw Enough();
                                           },
                                       .often =
                                           [&] {
                                             if (++calls > 1) throw Enough();
                                           }});
    std::vector<uint8_t> all;
    for (auto block = decompressor.next(); !block.empty(); block = decompressor.next())
      all.insert(all.end(), block.begin(), block.end());
    return all;
  };
  try {
    const std::vector<uint8_t> text = decompress({data, size});
    std::vector<uint8_t> again;
    Compressor compressor({.memory_bytes = int64_t{16} << 20}, [&](std::span<const uint8_t> bytes) {
      again.insert(again.end(), bytes.begin(), bytes.end());
    });
    compressor.add(text);
    compressor.finish();
    if (decompress(again) != text) std::abort();
  } catch (const Error& error) {
    if (std::string(error.what()).find('\n') != std::string::npos) std::abort();  // one line
  } catch (const Enough&) {
  }
  return 0;
}
