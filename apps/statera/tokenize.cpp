// statera tokenize: encode and decode, text to tokens and back as lines of JSON.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <thread>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "core/machine.hpp"
#include "interrupt.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "raw_input.hpp"
#include "statera/data.hpp"
#include "statera/error.hpp"
#include "statera/tokenizer.hpp"
#include "tokenize_train.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {

using nlohmann::json;

struct Flags {
  std::string tokenizer;
  bool jsonl = false, no_specials = false, plain = false;
};

constexpr int64_t most_file_bytes = int64_t{1} << 29;  // of a tokenizer, or of the beginning of a GGUF file
constexpr size_t most_line_bytes = size_t{1} << 30;

// Standard input, line by line. A line may hold anything but a line feed.
class Lines {
 public:
  Lines() : input_("-") {}
  // The lines that have come, at least one; none at the end of the input.
  std::vector<std::string> next() {
    std::vector<std::string> lines;
    while (lines.empty() && !ended_) {
      const size_t got = input_.read(piece_);
      ended_ = got == 0;
      for (const uint8_t byte : std::span(piece_).first(got))
        if (byte == '\n')
          lines.push_back(std::exchange(line_, {}));
        else
          line_ += static_cast<char>(byte);
      if (line_.size() > most_line_bytes) throw Error(ErrorCode::io, "the standard input: a line is longer than 1 GiB");
    }
    if (ended_ && !line_.empty()) lines.push_back(std::exchange(line_, {}));
    return lines;
  }

 private:
  RawInput input_;
  std::vector<uint8_t> piece_ = std::vector<uint8_t>(1 << 20);
  std::string line_;
  bool ended_ = false;
};

std::string from_hex(const std::string& digits, const std::string& where) {
  const auto value = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    const int high = value(digits[i]), low = value(digits[i + 1]);
    if (high < 0 || low < 0) break;
    bytes += static_cast<char>(16 * high + low);
  }
  if (2 * bytes.size() != digits.size())
    throw Error(ErrorCode::config, where + ": \"hex\": expected pairs of hexadecimal digits, got " + in_quotes(digits));
  return bytes;
}

std::string to_hex(const std::string& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string hex;
  for (const char byte : bytes) {
    hex += digits[static_cast<uint8_t>(byte) >> 4];
    hex += digits[static_cast<uint8_t>(byte) & 15];
  }
  return hex;
}

std::string text_field(const json& row, const char* key, const std::string& where) {
  if (!row[key].is_string())
    throw Error(ErrorCode::config, where + ": \"" + key + "\": expected a string, got " + row[key].type_name());
  return row[key].get<std::string>();
}

std::string encode_line(const Tokenizer& tokenizer, const json& row, const EncodeOptions& options,
                        const std::string& where) {
  if (row.contains("text") == row.contains("hex"))
    throw Error(ErrorCode::config, where + ": expected {\"text\": ...} or {\"hex\": ...}, and optionally \"pair\"");
  const std::string text =
      row.contains("text") ? text_field(row, "text", where) : from_hex(text_field(row, "hex", where), where);
  const Encoding encoding = row.contains("pair") ? tokenizer.encode(text, text_field(row, "pair", where), options)
                                                 : tokenizer.encode(text, options);
  return json_text(json{{"ids", encoding.ids}, {"type_ids", encoding.type_ids}});
}

std::string decode_line(const Tokenizer& tokenizer, const json& row, bool skip_specials, const std::string& where) {
  std::vector<int32_t> ids;
  if (!row.contains("ids") || !row["ids"].is_array())
    throw Error(ErrorCode::config, where + ": expected {\"ids\": [...]}");
  for (const json& id : row["ids"]) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX)
      throw Error(ErrorCode::config, where + ": expected ids, got " + json_text(id));
    ids.push_back(id.get<int32_t>());
  }
  return json_text(json{{"text", tokenizer.decode(ids, skip_specials)},
                        {"hex", to_hex(tokenizer.decode_bytes(ids, skip_specials))}});
}

// Calls each(i) for all i below `count`, on all cores.
template <class Each>
void on_all_cores(size_t count, Each each) {
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) each(i);
  };
  std::vector<std::jthread> others;
  const size_t threads = std::min(count, static_cast<size_t>(usable_cores()));
  for (size_t t = 1; t < threads; ++t) others.emplace_back(work);
  work();
}

// answer(row) of a line, whose errors begin with `where`.
template <class Answer>
std::string answer_to(const std::string& line, const std::string& where, Answer answer) {
  try {
    const json row = parse_json(line, where, most_line_bytes);
    if (!row.is_object()) throw Error(ErrorCode::config, where + ": expected an object");
    return answer(row);
  } catch (const Error& error) {
    const std::string what = error.what();
    throw Error(error.code(), what.starts_with(where) ? what : where + ": " + what);
  }
}

struct Answered {
  std::string line;
  std::exception_ptr error;
};

// Answers each line of standard input by one, in order; the lines that have come are answered on all cores. What was
// answered before a line with an error has been printed.
template <class Answer>
void answer_lines(const Flags& flags, Answer answer) {
  if (!flags.jsonl) throw UsageError("give --jsonl: lines of JSON on standard input are answered by lines of JSON");
  const Interrupt interrupt;
  const Tokenizer tokenizer = Tokenizer::load(flags.tokenizer, read_tokenizer_file);
  if (tokenizer.self_tests() == 0 && is_terminal(2))
    std::fprintf(stderr, "statera tokenize: the file has no examples, so its ids are not checked\n");
  Lines lines;
  int64_t number = 0;
  for (auto some = lines.next(); !some.empty(); some = lines.next()) {
    std::vector<Answered> answers(some.size());
    on_all_cores(some.size(), [&](size_t i) {
      try {
        stop_if_asked();
        const std::string where = "the standard input: line " + std::to_string(number + static_cast<int64_t>(i) + 1);
        answers[i].line = answer_to(some[i], where, [&](const json& row) { return answer(tokenizer, row, where); });
      } catch (...) {
        answers[i].error = std::current_exception();
      }
    });
    for (const Answered& answered : answers) {
      if (answered.error) {
        std::fflush(stdout);
        std::rethrow_exception(answered.error);
      }
      std::printf("%s\n", answered.line.c_str());
    }
    std::fflush(stdout);
    number += static_cast<int64_t>(some.size());
  }
}

void add_encode(CLI::App& tokenize) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = tokenize.add_subcommand("encode", "text to ids");
  verb->add_option("TOKENIZER", flags->tokenizer, "a tokenizer's file or folder, see statera tokenize --help")
      ->required();
  verb->add_flag("--jsonl", flags->jsonl,
                 "read lines like {\"text\": \"...\"} or {\"hex\": \"...\"}, optionally with \"pair\" for a second "
                 "text; print {\"ids\": [...], \"type_ids\": [...]} for each");
  verb->add_flag("--no-specials", flags->no_specials, "leave out the tokens that the post-processor adds");
  verb->add_flag("--plain", flags->plain, "take special tokens in the text as text");
  verb->footer("Example:\n  echo '{\"text\": \"Hello\"}' | statera tokenize encode tokenizer.json --jsonl");
  verb->callback([flags] {
    const EncodeOptions options{.specials = !flags->no_specials, .plain = flags->plain};
    answer_lines(*flags, [&](const Tokenizer& tokenizer, const json& row, const std::string& where) {
      return encode_line(tokenizer, row, options, where);
    });
  });
}

void add_decode(CLI::App& tokenize) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = tokenize.add_subcommand("decode", "ids to text");
  verb->add_option("TOKENIZER", flags->tokenizer, "a tokenizer's file or folder, see statera tokenize --help")
      ->required();
  verb->add_flag("--jsonl", flags->jsonl,
                 "read lines like {\"ids\": [...]}; print {\"text\": \"...\", \"hex\": \"...\"} for each: in \"text\" "
                 "what is no character is U+FFFD, \"hex\" has the bytes");
  verb->add_flag("--no-specials", flags->no_specials, "leave out special tokens");
  verb->footer("Example:\n  echo '{\"ids\": [15496, 995]}' | statera tokenize decode gpt2/vocab.json --jsonl");
  verb->callback([flags] {
    answer_lines(*flags, [&](const Tokenizer& tokenizer, const json& row, const std::string& where) {
      return decode_line(tokenizer, row, flags->no_specials, where);
    });
  });
}

}  // namespace

std::string read_tokenizer_file(const std::string& path) {
  const ByteSource source(path, {.bytes = most_file_bytes, .often = stop_if_asked});
  const auto bytes = source.document(0);
  return {bytes.begin(), bytes.end()};
}

void add_tokenize(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("tokenize", "text to tokens and back");
  verb->require_subcommand(1);
  add_encode(*verb);
  add_decode(*verb);
  add_tokenize_train(*verb);
  add_tokenize_show(*verb);
  verb->footer(
      "A tokenizer is one of these files, packed or not, or a folder with one of them under its usual name:\n"
      "  tokenizer.json (Hugging Face), vocab.json with merges.txt beside it (GPT-2), a SentencePiece model,\n"
      "  an RWKV World vocabulary, a GGUF file.\n"
      "What is not understood is an error that names it.");
}

}  // namespace statera::cli
