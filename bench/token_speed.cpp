// Statera's side of bench/token_speed.sh: the seconds of encoding a text at once, of encoding its lines, and of
// training, each the least of three.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "statera/data.hpp"
#include "statera/error.hpp"
#include "statera/tokenizer.hpp"

namespace {

template <class Work>
double least_seconds(Work work) {
  double least = 1e9;
  for (int round = 0; round < 3; ++round) {
    const auto begun = std::chrono::steady_clock::now();
    work();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  }
  return least;
}

int run(const std::string& tokenizer_path, const std::string& text_path, int threads, int64_t vocabulary) {
  using namespace statera;
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_path);
  const ByteSource source(text_path);
  const auto bytes = source.document(0);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    lines.push_back(text.substr(at, end - at));
    at = end;
  }
  size_t ids = 0, of_lines = 0;
  const double whole = least_seconds([&] { ids = tokenizer.encode(text).ids.size(); });
  const double by_lines = least_seconds([&] {
    of_lines = 0;
    for (const Encoding& line : tokenizer.encode_all(lines, {}, threads)) of_lines += line.ids.size();
  });
  size_t size = 0;
  const double training = least_seconds([&] {
    TokenizerTrainer trainer({.vocabulary = vocabulary, .threads = threads});
    trainer.add(text);
    size = trainer.finish().size();
  });
  std::printf("{\"whole\": %.17g, \"lines\": %.17g, \"train\": %.17g, \"ids\": %zu, \"ids_of_lines\": %zu}\n", whole,
              by_lines, training, ids, of_lines);
  return size > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: token_speed TOKENIZER TEXT THREADS VOCABULARY\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2], std::atoi(argv[3]), std::atoll(argv[4]));
  } catch (const statera::Error& error) {
    std::fprintf(stderr, "token_speed: %s\n", error.what());
    return 1;
  }
}
