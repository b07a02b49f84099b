// statera tokenize train, show: makes a tokenizer, and shows where one cuts.
#include "tokenize_train.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "core/machine.hpp"
#include "data/read_documents.hpp"
#include "interrupt.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "live_lines.hpp"
#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "text/number.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {

struct TrainFlags {
  std::string file, out;
  int64_t vocabulary = TokenizerTrainingOptions{}.vocabulary;
  int threads = 0;
  bool force = false, json = false;
};

struct ShowFlags {
  std::string tokenizer, file;
  int64_t bytes = 2000;
  bool json = false;
};

// What folders hold and was not read; of many folders a few.
void print_left_out(const std::vector<std::string>& folders) {
  constexpr size_t most = 5;
  for (size_t i = 0; i < std::min(most, folders.size()); ++i) std::fprintf(stderr, "%s\n", folders[i].c_str());
  if (folders.size() > most) std::fprintf(stderr, "the same in %zu more folders\n", folders.size() - most);
}

void train(const TrainFlags& flags) {
  const std::string out =
      flags.out.empty() ? stem(flags.file) + "-bpe-" + std::to_string(flags.vocabulary) + ".json" : flags.out;
  check_named_file("--out", out);
  refuse_existing(out, flags.force);
  const Interrupt interrupt;
  AtomicFile file(out, stop_if_asked);
  using Clock = std::chrono::steady_clock;
  const auto begun = Clock::now();
  LiveLines lines;
  auto last = begun;
  TokenizerTrainingOptions options{.vocabulary = flags.vocabulary,
                                   .threads = flags.threads > 0 ? flags.threads : usable_cores()};
  int64_t bytes = 0, merges = 0;
  options.progress = [&](int64_t read, int64_t done, int64_t wanted) {
    stop_if_asked();
    bytes = read;
    merges = done;
    const auto now = Clock::now();
    if (!lines.terminal() || flags.json || now - last < std::chrono::milliseconds(200)) return;
    last = now;
    lines.set(0, bytes_text(static_cast<double>(read)) + " read, " + std::to_string(done) + " of " +
                     std::to_string(wanted) + " merges");
  };
  TokenizerTrainer trainer(options);
  const DocumentsRead source = read_documents(
      flags.file, {.often = stop_if_asked},
      [&](std::span<const uint8_t> piece) {
        trainer.add_piece({reinterpret_cast<const char*>(piece.data()), piece.size()});
      },
      [&] { trainer.end_document(); });
  const std::string text = trainer.finish();
  file.write(text);
  file.commit();
  lines.clear();
  print_left_out(source.left_out);
  const int64_t ids = merges + 257;
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  if (flags.json) {
    std::printf("%s\n", json_text(nlohmann::json{{"file", flags.file},
                                                 {"out", out},
                                                 {"bytes", bytes},
                                                 {"merges", merges},
                                                 {"forgotten_words", trainer.forgotten()},
                                                 {"seconds", seconds}})
                            .c_str());
    return;
  }
  std::printf("%s: %lld merges from %s, in %s\n", printable(out).c_str(), static_cast<long long>(merges),
              bytes_text(static_cast<double>(bytes)).c_str(), seconds_text(seconds).c_str());
  if (ids < flags.vocabulary)
    std::printf("Only %lld ids instead of %lld: no other pair of neighbours occurs twice.\n",
                static_cast<long long>(ids), static_cast<long long>(flags.vocabulary));
  if (trainer.forgotten() > 0)
    std::printf("%lld occurrences of rare words were forgotten, to bound the memory.\n",
                static_cast<long long>(trainer.forgotten()));
}

// A part of a line, with a backslash before each bar and each backslash of the text: every other bar is a drawn one.
std::string drawable(std::string_view text) {
  std::string escaped;
  for (const char byte : text) {
    if (byte == '|' || byte == '\\') escaped += '\\';
    escaped += byte;
  }
  return printable(escaped);
}

// The text with a bar after each token; line ends are shown and kept.
void draw(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  TokenStream stream(tokenizer);
  for (const int32_t id : ids) {
    std::string shown;
    std::string line;
    for (const char byte : stream.push_bytes(id)) {
      if (byte != '\n') {
        line += byte;
        continue;
      }
      shown += drawable(std::exchange(line, {})) + "\\n\n";
    }
    std::printf("%s%s|", shown.c_str(), drawable(line).c_str());
  }
  std::printf("\n\n");
}

void show(const ShowFlags& flags) {
  if (flags.bytes < 0) throw UsageError("--bytes is " + std::to_string(flags.bytes) + "; expected 0 or more");
  const Interrupt interrupt;
  const Tokenizer tokenizer = Tokenizer::load(flags.tokenizer, read_tokenizer_file);
  nlohmann::json result = {{"tokenizer", flags.tokenizer},
                           {"kind", tokenizer.kind()},
                           {"vocabulary", tokenizer.vocabulary_size()},
                           {"takes_any_bytes", tokenizer.takes_any_bytes()},
                           {"self_tests", tokenizer.self_tests()}};
  std::string specials;
  for (int32_t id = 0; id < tokenizer.vocabulary_size(); ++id)
    if (tokenizer.is_special(id))
      specials +=
          (specials.empty() ? "" : " ") + std::to_string(id) + " " + printable(tokenizer.token_of(id).value_or(""));
  if (!flags.json) {
    std::printf("%s: %s, %lld ids, %s\n", printable(flags.tokenizer).c_str(), std::string(tokenizer.kind()).c_str(),
                static_cast<long long>(tokenizer.vocabulary_size()),
                tokenizer.takes_any_bytes() ? "reads any bytes" : "reads UTF-8");
    std::printf("self-test: %s\n", tokenizer.self_tests() > 0
                                       ? ("passed, on " + std::to_string(tokenizer.self_tests()) +
                                          (tokenizer.self_tests() == 1 ? " example" : " examples"))
                                             .c_str()
                                       : "the file has no examples, so its ids are not checked");
    std::printf("special tokens: %s\n", specials.empty() ? "none" : specials.c_str());
  }
  if (!flags.file.empty()) {
    const ByteSource source(flags.file, {.often = stop_if_asked});
    const auto bytes = source.document(0);
    std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const EncodeOptions whole{.specials = false, .plain = true, .limits = false};
    const std::vector<int32_t> ids = tokenizer.encode(text, whole).ids;
    const double per_token = ids.empty() ? 0 : static_cast<double>(text.size()) / static_cast<double>(ids.size());
    result["bytes"] = text.size();
    result["tokens"] = ids.size();
    if (!flags.json) {
      text = text.substr(0, static_cast<size_t>(flags.bytes));
      while (!text.empty() && (text.size() < bytes.size()) && (bytes[text.size()] & 0xC0) == 0x80)
        text.remove_suffix(1);
      std::printf("\n");
      draw(tokenizer, tokenizer.encode(text, whole).ids);
      std::printf("%zu bytes, %zu tokens: %s bytes per token\n", static_cast<size_t>(bytes.size()), ids.size(),
                  fixed(per_token, 2).c_str());
    }
  }
  if (flags.json) std::printf("%s\n", json_text(result).c_str());
}

}  // namespace

void add_tokenize_train(CLI::App& tokenize) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* verb = tokenize.add_subcommand("train", "make a byte-level BPE tokenizer");
  verb->add_option("FILE", flags->file, "a file or a folder; - reads standard input")->required();
  verb->add_option("--vocab", flags->vocabulary,
                   "number of ids: 256 for the bytes, one for <|endoftext|>, the others for merges")
      ->capture_default_str();
  verb->add_option("--out", flags->out, "the tokenizer.json (default: FILE-bpe-VOCAB.json, here)");
  verb->add_option("--threads", flags->threads, "number of threads; 0: all cores")->capture_default_str();
  verb->add_flag("--force", flags->force, "replace the tokenizer if it exists");
  verb->add_flag("--json", flags->json, "print one JSON object");
  verb->footer("Example:\n  statera tokenize train war-and-peace.txt --vocab 8192 --out tokenizer.json");
  verb->callback([flags] { train(*flags); });
}

void add_tokenize_show(CLI::App& tokenize) {
  auto flags = std::make_shared<ShowFlags>();
  CLI::App* verb = tokenize.add_subcommand("show", "what a tokenizer is, and where it cuts a text");
  verb->add_option("TOKENIZER", flags->tokenizer, "a tokenizer's file or folder, see statera tokenize --help")
      ->required();
  verb->add_option("FILE", flags->file, "a text; - reads standard input");
  verb->add_option("--bytes", flags->bytes, "how much of the text to draw; all of it is counted")
      ->capture_default_str();
  verb->add_flag("--json", flags->json, "print one JSON object, and draw nothing");
  verb->footer(
      "A bar is drawn after each token. A bar of the text is shown as \\|, a backslash as \\\\, a line end as \\n "
      "before it,\na control character, or a byte that is only a part of a character, as \\xNN. Special tokens in the "
      "text are text.\nExample:\n  echo Hello world | statera tokenize show tokenizer.json -");
  verb->callback([flags] { show(*flags); });
}

}  // namespace statera::cli
