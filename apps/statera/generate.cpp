// statera generate MODEL: streams text.
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "interrupt.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "statera/sampler.hpp"
#include "statera/session.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
struct Flags {
  std::string model, prompt;
  std::optional<WeightFormat> weights;
  GenerateOptions sampling;
  int threads = 0;
  bool json = false, specials = false;
};

// A user may type a backslash and an n between quotes for a line end.
std::string unescaped(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = text[i] == '\\' && i + 1 < text.size() ? text[i + 1] : 0;
    const bool known = next == 'n' || next == 't' || next == '\\';
    plain += next == 'n' ? '\n' : next == 't' ? '\t' : known ? '\\' : text[i];
    i += known;
  }
  return plain;
}

// Without control characters, which would move the cursor or change the terminal's settings.
std::string for_terminal(std::string_view text) {
  std::string shown;
  for (size_t end = 0, begin = 0; begin < text.size(); begin = end + 1) {
    end = std::min(text.find_first_of("\n\t", begin), text.size());
    const bool pair = end < text.size() && text[end] == '\n' && end > begin && text[end - 1] == '\r';  // a line end
    shown += printable(text.substr(begin, end - begin - pair));
    if (end < text.size()) shown += text[end];
  }
  return shown;
}

bool same_file(int one, int other) {
  struct stat a {
  }, b{};
  return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// However the text ends, the output on the terminal ends with a newline before warnings and errors follow.
struct Ending {
  std::vector<std::string> warnings;
  bool open = false;  // whether any text was written

  ~Ending() {
    if (open && (is_terminal(1) || (!warnings.empty() && same_file(1, 2)))) std::printf("\n");
    std::fflush(stdout);
    for (const std::string& line : warnings) std::fprintf(stderr, "statera generate: %s\n", printable(line).c_str());
  }
};

void run(Flags& flags) {
  for (std::string& stop : flags.sampling.stop) stop = unescaped(stop);
  if (flags.prompt == "-") flags.prompt = read_all_stdin();
  if (flags.sampling.max_bytes < 1)
    throw UsageError("--max-bytes " + std::to_string(flags.sampling.max_bytes) + " is not at least 1");
  const Model model = load_model(flags.model, make_device(flags.threads), {.training = false, .weights = flags.weights},
                                 flags.specials);
  const Interrupt interrupt;  // a second Ctrl-C ends at once
  Ending ending;
  if (looks_back(model)) flags.sampling.warn = [&](const std::string& line) { ending.warnings.push_back(line); };
  std::string text, held;
  generate(model, flags.prompt, flags.sampling, [&](std::string_view piece) {
    if (flags.json) {
      text += piece;
      return !Interrupt::asked();
    }
    ending.open = true;
    std::string shown(piece);
    if (is_terminal(1) && !flags.sampling.raw) {
      shown = held + shown;  // the \n that belongs to an \r may come in the next piece
      held = shown.ends_with('\r') ? "\r" : "";
      shown = for_terminal(std::string_view(shown).substr(0, shown.size() - held.size()));
    }
    const bool written = std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size() && std::fflush(stdout) == 0;
    return written && !Interrupt::asked();
  });
  if (flags.json)
    std::printf("%s\n", json_text(nlohmann::json({{"prompt", flags.prompt},
                                                  {"text", text},
                                                  {"bytes", text.size()},
                                                  {"seed", flags.sampling.seed}}))
                            .c_str());
  if (Interrupt::asked()) throw Interrupted();
}
}  // namespace

void add_generate(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("generate", "generate text with a model");
  GenerateOptions& s = flags->sampling;
  verb->add_option("MODEL", flags->model, "a model folder")->required();
  // an empty prompt is allowed
  verb->add_option("--prompt", flags->prompt, "text to continue; - reads standard input")->type_name("BYTES");
  verb->add_option("--max-bytes", s.max_bytes, "maximum length of the text, in bytes")->capture_default_str();
  verb->add_option("--temperature", s.temperature, "sampling temperature; 0: always the most likely byte or token")
      ->capture_default_str();
  verb->add_option("--top-k", s.top_k, "sample from the k most likely bytes or tokens; 0: all")->capture_default_str();
  verb->add_option("--top-p", s.top_p, "sample from the fewest bytes or tokens whose probabilities add up to this")
      ->capture_default_str();
  verb->add_option("--min-p", s.min_p, "drop bytes or tokens below this share of the highest probability")
      ->capture_default_str();
  verb->add_option("--repetition-penalty", s.repetition_penalty, "above 1 makes recent bytes or tokens less likely")
      ->capture_default_str();
  verb->add_option("--stop", s.stop,
                   "end before this text, where \\n, \\t and \\\\ are a line end, a tab and a backslash; may be given "
                   "several times");
  verb->add_option("--seed", s.seed, "random seed; the same seed gives the same text")->capture_default_str();
  verb->add_flag("--raw", s.raw,
                 "print bytes as they come, not only whole UTF-8 characters, and on a terminal control characters too");
  add_weights(*verb, flags->weights);
  add_specials(*verb, flags->specials);
  verb->add_option("--threads", flags->threads, "number of threads; 0: all cores")->capture_default_str();
  verb->add_flag("--json", flags->json, "print one JSON object at the end instead of streaming");
  verb->footer(
      "Examples:\n  statera generate out/shakespeare --prompt \"ROMEO:\" --max-bytes 400\n"
      "  echo -n \"It was\" | statera generate out/book --prompt - --temperature 0.6 --top-p 0.9\n"
      "  statera generate out/book --stop \"\\n\\n\" --seed 7");
  verb->callback([flags] { run(*flags); });
}

}  // namespace statera::cli
