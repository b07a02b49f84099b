// statera compress FILE, statera decompress FILE: lossless, by a model that learns while it reads.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "core/machine.hpp"
#include "counts/compressed.hpp"
#include "interrupt.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "live_lines.hpp"
#include "online/predictor.hpp"
#include "raw_input.hpp"
#include "statera/error.hpp"
#include "text/number.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {

struct Flags {
  std::string file, out;
  int64_t memory = CompressOptions{}.memory_bytes >> 20;  // MiB
  bool force = false, json = false;
  std::string model;  // a folder; empty: counts alone
  int threads = 0;
  OnlineOptions online;
};

constexpr std::string_view suffix = ".statera";

// Where the result goes if --out does not say it. What comes from standard input goes to standard output.
std::string output_of(const Flags& flags, bool compresses) {
  if (!flags.out.empty()) return flags.out;
  if (flags.file == "-") return "-";
  if (compresses) return flags.file + std::string(suffix);
  if (!flags.file.ends_with(suffix) || flags.file.size() == suffix.size())
    throw UsageError(printable(flags.file) + ": the name does not end in " + std::string(suffix) +
                     ", so it does not say what the data are called; name them with --out");
  return flags.file.substr(0, flags.file.size() - suffix.size());
}

// The output: a file that is not there until it is complete, or standard output.
class Output {
 public:
  Output(const Flags& flags, const std::string& path) : path_(path), force_(flags.force) {
    if (path == "-" && is_terminal(1))
      throw UsageError("the result would go to a terminal; name a file with --out, or pipe it on");
    refuse_existing(path_, force_);
    file_ = std::make_unique<AtomicFile>(path == "-" ? "/dev/stdout" : path, stop_if_asked);
    if (flags.file != "-") file_->no_more_open_than(flags.file);
  }
  void write(std::span<const uint8_t> bytes) {
    if (!bytes.empty()) file_->write(bytes.data(), bytes.size());
  }
  void commit() {
    refuse_existing(path_, force_);  // somebody may have made it meanwhile
    file_->commit();
  }
  bool standard() const { return path_ == "-"; }

 private:
  std::string path_;
  bool force_;
  std::unique_ptr<AtomicFile> file_;
};

// A line on a terminal, and what is said at the end.
class Course {
 public:
  explicit Course(const Flags& flags) : shown_(lines_.terminal() && !flags.json) {}
  // `done` of `all` bytes of the data; `packed`: what stands beside them, such as "to 12 KB".
  void show(uint64_t done, std::optional<uint64_t> all, const char* way, uint64_t packed) {
    const auto now = Clock::now();
    if (!shown_ || now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - begun_).count(), n = static_cast<double>(done);
    std::string line = bytes_text(n) + (all ? " of " + bytes_text(static_cast<double>(*all)) : "") + way +
                       bytes_text(static_cast<double>(packed)) + ", " + bytes_text(n / seconds) + "/s";
    if (all && done > 0) line += ", " + seconds_text(seconds * (static_cast<double>(*all) / n - 1)) + " left";
    lines_.set(0, line);
  }
  void clear() { lines_.clear(); }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begun_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  LiveLines lines_;
  bool shown_;
  Clock::time_point begun_ = Clock::now(), last_ = begun_;
};

// data: bytes without compression; packed: with it.
// `needs`: the model without which nobody can decompress it, if there is one.
void tell(const Flags& flags, const std::string& out, const Output& output, uint64_t data, uint64_t packed,
          double seconds, const std::string& needs) {
  if (output.standard()) return;
  const double n = static_cast<double>(data), size = static_cast<double>(packed);
  if (flags.json) {
    nlohmann::json result = {
        {"file", flags.file}, {"out", out}, {"bytes", data}, {"compressed_bytes", packed}, {"seconds", seconds}};
    if (data > 0) result["bits_per_byte"] = size * 8 / n;
    std::printf("%s\n", json_text(result).c_str());
    return;
  }
  std::printf("%s: %s, %s compressed%s%s\n", printable(out).c_str(), bytes_text(n).c_str(), bytes_text(size).c_str(),
              data > 0 ? (", " + fixed(size * 8 / n, 3) + " bits per byte").c_str() : "",
              needs.empty() ? "" : ("; only " + printable(needs) + " gives it back, so keep that folder").c_str());
}

void check_output(const Flags& flags, const std::string& path) {
  if (flags.json && path == "-")
    throw UsageError("--json and the result would both go to standard output; name a file with --out");
}

void need_memory(const std::string& what, int64_t bytes, const std::string& fix) {
  require_memory(static_cast<double>(bytes), what, fix);
}

// Reads a model for coding: with portable kernels, and able to learn.
Model coding_model(const Flags& flags) {
  if (const ModelConfig config = ModelConfig::load(flags.model); config.vocab_size != byte_units()->size())
    throw Error(ErrorCode::unsupported, flags.model + ": reads " + std::to_string(config.vocab_size) +
                                            " tokens, and files are compressed byte by byte; name a model over bytes");
  return Model::load(flags.model, Device::cpu({.threads = flags.threads, .kernels = KernelChoice::portable}),
                     {.training = true, .weights = WeightFormat::f32});
}

std::unique_ptr<Predictor> predictor_of(const Flags& flags, const std::string& input, const std::string& description) {
  if (flags.model.empty())
    throw Error(ErrorCode::config,
                input + ": was compressed with the model " + model_in(description) + ": name its folder with --model");
  try {
    return std::make_unique<ModelPredictor>(coding_model(flags), description);
  } catch (const Error& error) {
    throw Error(error.code(), input + ": " + error.what());
  }
}

void compress(const Flags& flags) {
  const std::string path = output_of(flags, true);
  check_output(flags, path);
  if (flags.memory < 16 || flags.memory > 65536)
    throw UsageError("--memory " + std::to_string(flags.memory) + " is not between 16 and 65536 (MiB)");
  const Interrupt interrupt;  // nothing half written is left
  RawInput input(flags.file);
  Output output(flags, path);
  CompressOptions options{.memory_bytes = flags.memory << 20, .length = input.length()};
  need_memory("compressing " + input.name(), options.memory_bytes, "take a smaller --memory");
  std::optional<ModelPredictor> predictor;
  if (!flags.model.empty()) {
    options.predictor = &predictor.emplace(coding_model(flags), flags.online);
    need_memory("compressing " + input.name() + " with this model", options.memory_bytes, "take a smaller --memory");
  }
  Course course(flags);
  Compressor compressor(options, [&](std::span<const uint8_t> bytes) { output.write(bytes); });
  std::vector<uint8_t> piece(predictor ? 16 : 1 << 12);  // a small part of a second
  const auto add = [&](std::span<const uint8_t> bytes) {
    try {
      compressor.add(bytes);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::numeric) throw;
      throw Error(ErrorCode::numeric, input.name() + ": the model no longer predicts after byte " +
                                          std::to_string(compressor.read()) + " (" + error.what() +
                                          "); take a smaller --adapt-lr, or leave --model out");
    }
  };
  while (const size_t got = input.read(piece)) {
    add(std::span(piece).first(got));
    if (input.length() && compressor.read() > *input.length())
      throw Error(ErrorCode::io, input.name() +
                                     ": it grew while it was read; compress a copy, or pipe it: statera "
                                     "compress - <" +
                                     input.name());
    course.show(compressor.read(), input.length(), " to ", compressor.written());
  }
  try {
    compressor.finish();
  } catch (const Error& error) {
    throw Error(error.code(), input.name() + ": " + error.what());
  }
  output.commit();
  course.clear();
  tell(flags, path, output, compressor.read(), compressor.written(), course.seconds(), flags.model);
}

void decompress(const Flags& flags) {
  const std::string path = output_of(flags, false);
  check_output(flags, path);
  const Interrupt interrupt;
  RawInput input(flags.file);
  Course course(flags);
  std::unique_ptr<Decompressor> decompressor;
  const auto often = [&] {
    stop_if_asked();
    if (decompressor) course.show(decompressor->decoded(), decompressor->length(), " from ", decompressor->read());
  };
  const auto check_memory = [&](int64_t bytes) {
    need_memory("decompressing " + input.name(), bytes, "free some: it takes as much as compressing did");
  };
  const auto source = [&](std::span<uint8_t> to) { return input.read(to); };
  decompressor =
      std::make_unique<Decompressor>(source, DecompressOptions{.name = input.name(),
                                                               .check_memory = check_memory,
                                                               .often = often,
                                                               .predictor = [&](const std::string& description) {
                                                                 return predictor_of(flags, input.name(), description);
                                                               }});
  if (!flags.model.empty() && !decompressor->predicted())
    throw UsageError(input.name() + ": was compressed without a model; leave --model out");
  Output output(flags, path);
  for (auto block = decompressor->next(); !block.empty(); block = decompressor->next()) output.write(block);
  output.commit();
  course.clear();
  tell(flags, path, output, decompressor->written(), decompressor->read(), course.seconds(), "");
}

template <class Work>
void or_say_stopped(const Flags& flags, bool compresses, const Work& work) {
  try {
    work();
  } catch (const Interrupted&) {
    if (output_of(flags, compresses) != "-")
      std::fprintf(stderr, "statera %s: stopped; no file was written\n", compresses ? "compress" : "decompress");
    throw;
  }
}

void add_threads(CLI::App& verb, Flags& flags, CLI::Option* model) {
  verb.add_option("--threads", flags.threads, "number of threads of the model; 0: all cores; they change no bit")
      ->capture_default_str()
      ->needs(model);
}

}  // namespace

void add_compress(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("compress", "make a file smaller, without loss");
  verb->add_option("FILE", flags->file, "a file of any kind; - reads standard input")->required();
  verb->add_option("--out", flags->out, "the compressed file; - is standard output (default: FILE.statera)");
  verb->add_option("--memory", flags->memory,
                   "the most memory that the counts take, in MiB, 16 to 65536; decompressing takes as much")
      ->capture_default_str();
  auto* model = verb->add_option(
      "--model", flags->model,
      "a model folder with f32 weights, which predicts too; decompressing needs the same one, and is as slow");
  add_threads(*verb, *flags, model);
  verb->add_option("--adapt-lr", flags->online.lr, "learning rate of the model while it reads; 0: it stays as it is")
      ->capture_default_str()
      ->needs(model);
  verb->add_option("--adapt-segment", flags->online.segment, "bytes between two training steps of the model")
      ->capture_default_str()
      ->needs(model);
  verb->add_flag("--force", flags->force, "replace the compressed file if it exists");
  verb->add_flag("--json", flags->json, "print one JSON object");
  verb->footer(
      "A model that starts empty learns while it reads; decompressing learns the same again, and takes as long.\n"
      "A file that is packed already (gzip, JPEG, ...) does not get smaller.\n"
      "Examples:\n  statera compress war-and-peace.txt                       writes war-and-peace.txt.statera\n"
      "  tar c logs/ | statera compress - --out logs.tar.statera\n"
      "  statera compress enwik8 --memory 2048                    more memory, smaller result for large files\n"
      "  statera compress hamlet.txt --model out/shakespeare      smaller still, and much slower");
  verb->callback([flags] { or_say_stopped(*flags, true, [&] { compress(*flags); }); });
}

void add_decompress(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("decompress", "get back what was compressed");
  verb->add_option("FILE", flags->file, "a file that statera compress wrote; - reads standard input")->required();
  verb->add_option("--out", flags->out, "the data; - is standard output (default: FILE without .statera)");
  auto* model = verb->add_option("--model", flags->model,
                                 "the folder of the model that the data were compressed with, if one was");
  add_threads(*verb, *flags, model);
  verb->add_flag("--force", flags->force, "replace the data if they exist");
  verb->add_flag("--json", flags->json, "print one JSON object");
  verb->footer(
      "A damaged or cut file is an error, and no file is written. To standard output, blocks that are checked are\n"
      "written as they come; the exit status says whether they are all.\n"
      "Examples:\n  statera decompress war-and-peace.txt.statera\n"
      "  statera decompress logs.tar.statera --out - | tar x");
  verb->callback([flags] { or_say_stopped(*flags, false, [&] { decompress(*flags); }); });
}

}  // namespace statera::cli
