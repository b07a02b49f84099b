// How small files get and how fast: what `statera compress` writes, beside PPMd (the best of four orders) and xz.
// usage: compress [--parts] FILE[:BYTES]...     prints a row of a table for each file or its first BYTES; with --parts
// what the model alone needs without one of its parts each. Speed is bytes per second of CPU time.
#include <lzma.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <exception>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "counts/compressed.hpp"
#include "lab/ppmd/ppmd.hpp"
#include "statera/data.hpp"
#include "text/number.hpp"

namespace {

using namespace statera;
using Bytes = std::span<const uint8_t>;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::string name_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

double per_byte(double bytes, Bytes data) { return bytes * 8 / static_cast<double>(data.size()); }

double ours(Bytes data) {
  uint64_t written = 0;
  Compressor compressor({.length = data.size()}, [&](Bytes bytes) { written += bytes.size(); });
  compressor.add(data);
  compressor.finish();
  return static_cast<double>(written);
}

double ppmd(Bytes data, int order) {
  Ppmd model({.order = order});
  double nats = 0;
  for (const uint8_t byte : data) nats += model.code(byte);
  return nats / std::numbers::ln2 / 8;
}

double xz(Bytes data) {
  std::vector<uint8_t> out(lzma_stream_buffer_bound(data.size()));
  size_t size = 0;
  if (lzma_easy_buffer_encode(9 | LZMA_PRESET_EXTREME, LZMA_CHECK_CRC64, nullptr, data.data(), data.size(), out.data(),
                              &size, out.size()) != LZMA_OK)
    throw std::runtime_error("xz failed");
  return static_cast<double>(size);
}

void print_row(const std::string& name, Bytes data) {
  const double begun = cpu_seconds(), size = ours(data), seconds = cpu_seconds() - begun;
  std::pair<double, int> best{1e300, 0};
  double ppmd_seconds = 0;
  for (const int order : {3, 6, 10, 16}) {
    const double from = cpu_seconds(), bytes = ppmd(data, order);
    if (bytes < best.first) best = {bytes, order}, ppmd_seconds = cpu_seconds() - from;
  }
  const double kilobytes = static_cast<double>(data.size()) / 1000;
  std::printf("| `%s` | %zu | %s | %s (order %d) | %s | %s %% | %s | %s |\n", name.c_str(), data.size(),
              fixed(per_byte(size, data), 4).c_str(), fixed(per_byte(best.first, data), 4).c_str(), best.second,
              fixed(per_byte(xz(data), data), 4).c_str(), fixed(100 * (1 - size / best.first), 1).c_str(),
              fixed(kilobytes / seconds, 0).c_str(), fixed(kilobytes / ppmd_seconds, 0).c_str());
  std::fflush(stdout);
}

double model_alone(Bytes data, const CountsParts& parts) {
  Counts model({.parts = parts});
  double bits = 0;
  for (const uint8_t byte : data) bits += model.code(byte).all;
  return bits / static_cast<double>(data.size());
}

void print_parts(const std::string& name, Bytes data) {
  const double all = model_alone(data, {});
  std::printf("| `%s` | %zu | %s |", name.c_str(), data.size(), fixed(all, 4).c_str());
  for (bool CountsParts::*part :
       {&CountsParts::words, &CountsParts::sparse, &CountsParts::records, &CountsParts::samples, &CountsParts::runs,
        &CountsParts::matches, &CountsParts::refined, &CountsParts::sets}) {
    CountsParts parts;
    parts.*part = false;
    const double more = model_alone(data, parts) - all;
    std::printf(" %s%s |", more < 0 ? "" : "+", fixed(more, 4).c_str());
    std::fflush(stdout);
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  const bool parts = argc > 1 && std::strcmp(argv[1], "--parts") == 0;
  if (argc < (parts ? 3 : 2)) {
    std::fprintf(stderr, "usage: compress [--parts] FILE[:BYTES]...\n");
    return 2;
  }
  try {
    for (int i = parts ? 2 : 1; i < argc; ++i) {
      std::string path = argv[i];
      const size_t colon = path.rfind(':');
      const int64_t most = colon == std::string::npos ? INT64_MAX : std::stoll(path.substr(colon + 1));
      path = path.substr(0, colon);
      const ByteSource source(path);
      const Bytes data = source.document(0);
      (parts ? print_parts : print_row)(name_of(path), data.first(std::min(data.size(), static_cast<size_t>(most))));
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
