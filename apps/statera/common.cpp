#include "common.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <CLI/Option.hpp>

#include "core/machine.hpp"
#include "data/unpack.hpp"
#include "interrupt.hpp"
#include "io/atomic_file.hpp"
#include "io/printable.hpp"
#include "models/language_model.hpp"
#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "text/number.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
const auto program_start = std::chrono::steady_clock::now();
}

double seconds_since_start() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - program_start).count();
}

bool is_terminal(int fd) { return isatty(fd) == 1; }

std::string read_all_stdin() {
  if (is_terminal(0)) throw UsageError("'-' reads from standard input, which is a terminal; pipe something in");
  const ByteBuffer text =
      read_plain(0, "the standard input", static_cast<size_t>(std::min(usable_memory_bytes() / 2, 4e18)));
  return {text.bytes().begin(), text.bytes().end()};
}

void stop_if_asked() {
  if (Interrupt::asked()) throw Interrupted();
}

void check_named_file(const std::string& flag, const std::string& path) {
  if (path == "-") throw UsageError(flag + " - would be a file that is called '-'; standard output is /dev/stdout");
}

void refuse_existing(const std::string& path, bool force) {
  struct stat info {};
  if (force || path == "-" || ::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  struct stat out {};
  if (::fstat(1, &out) == 0 && same_file(info, out)) return;  // standard output under another name
  throw Error(ErrorCode::io, printable(path) + ": exists already; replace it with --force, or name another");
}

void check_named_folder(const std::string& flag, const std::string& path) {
  if (path == "-")
    throw UsageError(
        flag + " - would be a folder that is called '-', and a folder cannot go to standard output; give it a name");
}

ReadOptions reading_within(double budget, int64_t cut_bytes) {
  ReadOptions options;
  options.often = stop_if_asked;
  if (cut_bytes > 0)
    options.bytes = cut_bytes;
  else if (budget > 0)
    options.seconds = budget / 2;
  return options;
}

std::vector<std::string> left_out_lines(const ByteSource& source, double budget, bool again) {
  constexpr size_t most = 5;
  std::vector<std::string> lines(
      source.left_out().begin(),
      source.left_out().begin() + static_cast<std::ptrdiff_t>(std::min(most, source.left_out().size())));
  if (source.left_out().size() > most)
    lines.push_back("the same in " + std::to_string(source.left_out().size() - most) + " more folders");
  if (!source.cut().empty() && again)
    lines.push_back("of " + source.cut() + " no more is read than before: the first " +
                    bytes_text(static_cast<double>(source.bytes())) + " are all that is used");
  else if (!source.cut().empty())
    lines.push_back("half of the budget of " + seconds_text(budget) + " was over while " + source.cut() +
                    " was read: the first " + bytes_text(static_cast<double>(source.bytes())) +
                    " are all that is used; a longer --budget reads more");
  return lines;
}

double parse_seconds(const std::string& text, const std::string& flag) {
  constexpr double year = 366 * 86400.0;
  double total = 0;
  bool good = !text.empty();
  for (std::string_view rest = text; good && !rest.empty();) {
    const auto number = rest.front() >= '0' && rest.front() <= '9' ? read_number(rest) : std::nullopt;
    const bool alone = number && number->length == text.size();
    const char unit = !number ? 'x' : alone ? 's' : number->length < rest.size() ? rest[number->length] : 'x';
    const double scale = unit == 'd' ? 86400 : unit == 'h' ? 3600 : unit == 'm' ? 60 : unit == 's' ? 1 : 0;
    good = scale > 0;
    total += number ? number->value * scale : 0;
    if (good) rest.remove_prefix(std::min(rest.size(), number->length + 1));
  }
  if (!good || !(total > 0) || !(total <= year))
    throw UsageError(flag + " '" + text +
                     "' is no span of time above 0 and up to a year; write it as 90s, 10m or 1h30m");
  return total;
}

std::string stem(const std::string& path) {
  if (path == "-") return "stdin";
  std::string name = std::filesystem::path(path).lexically_normal().filename().string();
  if (name.empty() || name == "." || name == "..") name = std::filesystem::weakly_canonical(path).filename().string();
  name.resize(name.size() - packed_suffix(name).size());
  const size_t dot = name.rfind('.');
  return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

namespace {
std::string& command() {
  static std::string text;
  return text;
}
}  // namespace

void remember_command(int argc, char** argv) {
  command() = "statera";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:+") ==
                                            std::string::npos;
    std::string quoted = "'";
    for (char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    command() += " " + (plain ? word : quoted + "'");
  }
}

const std::string& command_text() { return command(); }

Device make_device(int threads) {
  if (threads < 0 || threads > 1024) throw UsageError("--threads " + std::to_string(threads) + " is not in 0 to 1024");
  return Device::cpu({.threads = threads});
}

Model load_model(const std::string& folder, const Device& device, ModelOptions options, bool specials) {
  options.tokenizer = specials ? token_units_with_specials : token_units;
  Model model = Model::load(folder, device, options);
  if (specials && model.reads_bytes()) throw UsageError("--special-tokens: " + folder + " reads bytes, not tokens");
  return model;
}

bool looks_back(const Model& model) {
  const int64_t context = std::max<int64_t>(1, model.config().context);
  const LanguageModel& modules = modules_of(model);
  return modules.cost(1, 2 * context).state_bytes > modules.cost(1, context).state_bytes;
}

void add_specials(CLI::App& verb, bool& specials) {
  verb.add_flag("--special-tokens", specials,
                "read special tokens in the text, such as <|endoftext|>, as tokens; without this flag they are plain "
                "text (for models over tokens only)");
}

std::vector<std::string> precision_names() {
  std::vector<std::string> names;
  for (const Precision precision : precisions) names.emplace_back(name_of(precision));
  return names;
}

std::string weights_text() {
  std::string known;
  for (WeightFormat format : weight_formats) known.append(known.empty() ? "" : ", ").append(name_of(format));
  return known;
}

WeightFormat parse_weights(const std::string& name) {
  try {
    return weight_format(name, "--weights");
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

CLI::Option* add_weights(CLI::App& verb, std::optional<WeightFormat>& weights) {
  const auto read = [&weights](const std::string& name) { weights = parse_weights(name); };
  return verb.add_option_function<std::string>(
      "--weights", read, "format of the weights of the layers: " + weights_text() + " (default: as in the folder)");
}

}  // namespace statera::cli
