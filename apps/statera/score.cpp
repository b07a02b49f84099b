// statera score MODEL FILE: what the bytes of a file cost.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <numbers>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "lab/measure/stream_cost.hpp"
#include "statera/data.hpp"
#include "statera/error.hpp"
#include "statera/session.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
struct Flags {
  std::string model, file, per_byte;
  int threads = 0;
  bool json = false;
};

// Sums what the bytes cost, writes each one's cost where that is asked for, and shows how far it is.
class Costs {
 public:
  Costs(const Flags& flags, int64_t total) : path_(flags.per_byte), total_(total), progress_(is_terminal(2) && !flags.json) {
    if (path_.empty()) return;
    table_.open(path_);
    if (!table_) throw Error(ErrorCode::io, "cannot write " + path_);
    table_ << "position\tbyte\tbits\n";
  }
  void add(std::span<const uint8_t> bytes, const std::vector<float>& nats) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      const double bits = static_cast<double>(nats[i]) / std::numbers::ln2;
      if (table_.is_open()) table_ << n_ << '\t' << static_cast<int>(bytes[i]) << '\t' << bits << '\n';
      bits_ += bits;
      ++n_;
    }
    if (progress_)
      std::fprintf(stderr, "\r%lld of %lld bytes, %.4f bits per byte ", static_cast<long long>(n_), static_cast<long long>(total_), per_byte());
  }
  void finish() {
    if (progress_) std::fprintf(stderr, "\r\033[K");
    if (table_.is_open() && !table_.flush()) throw Error(ErrorCode::io, "cannot write " + path_ + ": is the disk full?");
  }
  double per_byte() const { return bits_ / static_cast<double>(n_); }

 private:
  std::string path_;
  std::ofstream table_;
  int64_t total_, n_ = 0;
  bool progress_;
  double bits_ = 0;
};

void run(const Flags& flags) {
  const Model model = Model::load(flags.model, make_device(flags.threads));
  if (model.config().vocab_size != 256) throw Error(ErrorCode::unsupported, flags.model + ": the vocabulary is not the 256 bytes");
  const ByteSource source(flags.file);
  Costs costs(flags, source.bytes());
  Session session(model, {.rewind_bytes = 0, .warn = [](const std::string& line) { std::fprintf(stderr, "statera score: %s\n", line.c_str()); }});
  stream_costs(session, source, source.bytes(), [&](std::span<const uint8_t> bytes, const std::vector<float>& nats) {
    costs.add(bytes, nats);
    return true;
  });
  costs.finish();
  const double bits = costs.per_byte(), n = static_cast<double>(source.bytes());
  if (flags.json)
    std::printf("%s\n", nlohmann::json({{"file", flags.file}, {"bytes", source.bytes()}, {"bits_per_byte", bits},
                                        {"nats_per_byte", bits * std::numbers::ln2}}).dump().c_str());
  else
    std::printf("%.4f bits per byte over %lld bytes: %s instead of %s\n", bits, static_cast<long long>(source.bytes()), bytes_text(bits * n / 8).c_str(),
                bytes_text(n).c_str());
}
}  // namespace

void add_score(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("score", "bits per byte of a file under a model");
  verb->add_option("MODEL", flags->model, "a model folder")->required();
  verb->add_option("FILE", flags->file, "a file or folder, .gz, .xz and .zst too; - reads standard input")->required();
  verb->add_option("--per-byte", flags->per_byte, "write each byte's cost in bits to this file, tab separated");
  verb->add_option("--threads", flags->threads, "0: all cores")->capture_default_str();
  verb->add_flag("--json", flags->json, "print one JSON object");
  verb->footer("The file is one stream from its beginning; the state is carried through all of it.\n"
               "Examples:\n  statera score out/shakespeare hamlet.txt\n  statera score out/logs today.log.xz --per-byte costs.tsv");
  verb->callback([flags] { run(*flags); });
}

}  // namespace statera::cli
