// statera score MODEL FILE: the cost of the bytes of a file.
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numbers>
#include <optional>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "core/check.hpp"
#include "io/printable.hpp"
#include "interrupt.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"
#include "io/safetensors.hpp"
#include "io/written_by.hpp"
#include "lab/measure/mixed_cost.hpp"
#include "lab/measure/stream_cost.hpp"
#include "live_lines.hpp"
#include "statera/data.hpp"
#include "statera/error.hpp"
#include "statera/online.hpp"
#include "statera/session.hpp"
#include "text/number.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
struct Flags {
  std::string model, file, per_byte, from, save;
  std::optional<WeightFormat> weights;
  int threads = 0;
  bool json = false, adapt = false, counts = false, specials = false, force = false;
  OnlineOptions online;
  std::vector<std::string> before;  // read by the counts before the file

  bool learns() const { return adapt || counts; }
};

// Writes the table of --per-byte.
class Table {
 public:
  explicit Table(const std::string& path) : file_(path, stop_if_asked) {}
  void add(int64_t position, uint8_t byte, double bits) {
    number(position) += '\t';
    number(byte) += '\t';
    number(bits, std::chars_format::general, 6) += '\n';
    if (text_.size() > most_) flush();
  }
  void finish() {
    flush();
    file_.commit();
  }

 private:
  template <class... How>
  std::string& number(How... how) {
    char digits[32];
    return text_.append(digits, std::to_chars(digits, digits + sizeof(digits), how...).ptr);
  }
  void flush() {
    file_.write(text_);
    text_.clear();
    most_ = 1 << 16;
  }

  AtomicFile file_;
  std::string text_ = "position\tbyte\tbits\n";  // the part that is not written yet
  // flush when text_ is longer; 0 at first, so that a file that cannot be written is noticed at the first byte
  size_t most_ = 0;
};

// Sums the costs of the bytes, writes each cost into the table if there is one, and shows progress.
class Costs {
 public:
  Costs(const Flags& flags, Table* table, int64_t total)
      : table_(table), total_(total), progress_(lines_.terminal() && !flags.json) {}
  void add(std::span<const uint8_t> bytes, const std::vector<float>& nats) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      const double bits = static_cast<double>(nats[i]) / std::numbers::ln2;
      if (table_) table_->add(n_, bytes[i], bits);
      bits_ += bits;
      ++n_;
    }
    if (progress_)
      lines_.set(0, std::to_string(n_) + " of " + std::to_string(total_) + " bytes, " + fixed(per_byte(), 4) +
                        " bits per byte");
  }
  void warn(const std::string& line) { lines_.print("statera score: " + line); }
  void stopped() {
    lines_.clear();
    lines_.print("stopped after " + std::to_string(n_) + " of " + std::to_string(total_) + " bytes, without a result" +
                 (table_ ? " and without a table" : ""));
  }
  void finish() {
    lines_.clear();
    if (table_) table_->finish();
  }
  double per_byte() const { return bits_ / static_cast<double>(n_); }
  int64_t read() const { return n_; }  // bytes

 private:
  Table* table_;  // null: no table
  int64_t total_, n_ = 0;
  LiveLines lines_;
  bool progress_;
  double bits_ = 0;
};

// The frozen model reads the file first, so an interruption may come before anything was learned.
void nothing_to_save(const Flags& flags) {
  if (!flags.save.empty())
    std::fprintf(stderr, "statera score: nothing was learned yet, so %s was not written\n",
                 printable(flags.save).c_str());
}

// Bits per byte. `first`: whether this is the model that the user named; false for the one that it is compared with.
double score(const Model& model, const ByteSource& source, const Flags& flags, bool first, Table* table) {
  Costs costs(flags, table, source.bytes());
  const auto warn = [&](const std::string& line) {
    if (first && looks_back(model)) costs.warn(line);
  };
  Session session(model, {.rewind_bytes = 0, .warn = warn});
  stream_costs(session, source, source.bytes(), [&](std::span<const uint8_t> bytes, const std::vector<float>& nats) {
    costs.add(bytes, nats);
    return !Interrupt::asked();
  });
  if (Interrupt::asked()) {
    costs.stopped();
    nothing_to_save(flags);
    throw Interrupted();
  }
  costs.finish();
  return costs.per_byte();
}

// The costs of models that learn while they read, in bits per byte; NaN where one was not asked for.
struct Learning {
  double model = NAN, counts = NAN, both = NAN, drift = 0;
};

void add_learned(nlohmann::json& out, const Flags& flags, const Learning& l) {
  if (flags.adapt) out["adaptive_bits_per_byte"] = l.model, out["drift"] = l.drift;
  if (flags.counts) out["counts_bits_per_byte"] = l.counts, out["mixed_bits_per_byte"] = l.both;
}

void print_learned(const Flags& flags, const Learning& l) {
  const auto row = [](const char* name, double bits, const char* what) {
    std::printf("  %-9s %s   %s\n", name, fixed(bits, 4).c_str(), what);
  };
  std::printf("%s, in bits per byte:\n", flags.adapt ? "while it learns from what it has read"
                                                     : "beside counts, which learn from what has been read");
  if (flags.adapt) row("adaptive", l.model, "the model, after a training step on each segment");
  if (flags.counts) row("counts", l.counts, "counts of contexts, without the model");
  if (flags.counts)
    row("mixed", l.both, flags.adapt ? "the adaptive model and the counts" : "the model and the counts");
}

void require_trainable(const Flags& flags) {
  if (flags.weights && *flags.weights != WeightFormat::f32)
    throw UsageError("--adapt trains the model, for which its weights must be in f32; leave --weights out");
  const WeightFormat saved = Model::saved_weights(flags.model);
  require(saved == WeightFormat::f32, ErrorCode::unsupported, printable(flags.model), ": its weights are in ",
          name_of(saved), ", and --adapt trains the model; take the folder in f32 that it was made from");
}

OnlineModel restored(const std::string& path, const Model& model) {
  require(!std::filesystem::is_regular_file(path) || format_in(path).starts_with("statera learner"), ErrorCode::io,
          printable(path), ": was not written by --adapt-save");
  return OnlineModel::restore(path, model);
}

// What learns while it reads. Made before the frozen model reads the file, so that what cannot work fails at once.
class Learner {
 public:
  explicit Learner(const Flags& flags) : flags_(flags), mixed_(flags.counts) {
    if (flags.adapt) require_trainable(flags);
    if (!flags.before.empty()) before_.emplace(flags.before, reading_within(0));
    const Model model = load_model(flags.model, make_device(flags.threads),
                                   {.training = flags.adapt, .weights = flags.weights}, flags.specials);
    if (flags.counts && !model.reads_bytes())
      throw UsageError("--counts mixes predictions of bytes, and " + flags.model + " reads tokens; leave it out");
    if (!flags.from.empty())
      online_.emplace(restored(flags.from, model));
    else if (flags.adapt)
      online_.emplace(model, flags.online);
    else
      session_.emplace(model, SessionOptions{.rewind_bytes = 0});
  }

  Learning read(const ByteSource& source) {
    Costs costs(flags_, nullptr, source.bytes());
    if (before_) mixed_.read(*before_, [] { return Interrupt::asked(); });
    const CostSink sink = [&](std::span<const uint8_t> bytes, const std::vector<float>& nats) {
      costs.add(bytes, nats);
      return !Interrupt::asked();
    };
    const auto each = [&](std::span<const uint8_t> bytes) { return mixed_.reader(bytes); };
    if (online_ && !Interrupt::asked()) try {
        stream_costs(*online_, source, source.bytes(), sink, each);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::numeric) throw;
        throw Error(ErrorCode::numeric, std::string(error.what()) + " after " + std::to_string(online_->steps()) +
                                            " steps while reading; take a smaller --adapt-lr");
      }
    if (session_ && !Interrupt::asked()) stream_costs(*session_, source, source.bytes(), sink, each);
    if (Interrupt::asked()) {
      costs.stopped();
      save(costs.read());
      throw Interrupted();
    }
    costs.finish();
    save(costs.read());
    const double n = static_cast<double>(source.bytes());
    return {costs.per_byte(), mixed_.counts() / n, mixed_.both() / n, online_ ? online_->drift() : 0};
  }

 private:
  // After an interruption too: what the first `bytes` of the file have taught is not lost.
  void save(int64_t bytes) const {
    if (flags_.save.empty()) return;
    const std::string path = printable(flags_.save);
    if (bytes == 0) return nothing_to_save(flags_);
    online_->save(flags_.save);
    std::fprintf(stderr, "statera score: what was learned from %lld bytes is in %s, %s\n",
                 static_cast<long long>(bytes), path.c_str(),
                 bytes_text(static_cast<double>(std::filesystem::file_size(flags_.save))).c_str());
  }

  const Flags& flags_;
  MixedCost mixed_;
  std::optional<ByteSource> before_;
  std::optional<OnlineModel> online_;
  std::optional<Session> session_;
};

// Scores the file again with f32 weights, if the folder has them and another format was asked for.
std::optional<double> score_f32(const Model& model, const ByteSource& source, const Flags& flags) {
  if (!flags.weights || model.weights() == WeightFormat::f32 || Model::saved_weights(flags.model) != WeightFormat::f32)
    return {};
  return score(load_model(flags.model, model.device(), {.training = false}, flags.specials), source, flags, false,
               nullptr);
}

void run(const Flags& flags) {
  const Interrupt interrupt;  // no partial table is left
  std::optional<Table> table;
  if (!flags.per_byte.empty()) {
    check_named_file("--per-byte", flags.per_byte);
    if (!is_named_output(flags.per_byte)) refuse_existing(flags.per_byte, flags.force);
    table.emplace(flags.per_byte);
  }
  if (!flags.save.empty()) {
    check_named_file("--adapt-save", flags.save);
    if (std::filesystem::is_directory(flags.save))
      throw UsageError("--adapt-save " + flags.save + " is a folder; name a file");
    if (!format_in(flags.save).starts_with("statera learner")) refuse_existing(flags.save, flags.force);
  }
  const Model model = load_model(flags.model, make_device(flags.threads), {.training = false, .weights = flags.weights},
                                 flags.specials);
  const ByteSource source(flags.file, reading_within(0));
  for (const std::string& line : left_out_lines(source)) std::fprintf(stderr, "statera score: %s\n", line.c_str());
  std::optional<Learner> learner;
  if (flags.learns()) learner.emplace(flags);
  const double bits = score(model, source, flags, true, table ? &*table : nullptr),
               n = static_cast<double>(source.bytes());
  const std::optional<double> f32 = score_f32(model, source, flags);
  const std::string weights(name_of(model.weights()));
  if (flags.json) {
    nlohmann::json out = {{"file", flags.file},    {"bytes", source.bytes()},
                          {"bits_per_byte", bits}, {"nats_per_byte", bits * std::numbers::ln2},
                          {"weights", weights},    {"weight_bytes", static_cast<int64_t>(model.weight_bytes())}};
    if (f32) out["f32_bits_per_byte"] = *f32, out["loss_bits_per_byte"] = bits - *f32;
    if (learner) add_learned(out, flags, learner->read(source));
    std::printf("%s\n", json_text(out).c_str());
    return;
  }
  std::printf("%s bits per byte over %lld bytes: %s instead of %s\n", fixed(bits, 4).c_str(),
              static_cast<long long>(source.bytes()), bytes_text(bits * n / 8).c_str(), bytes_text(n).c_str());
  if (f32)
    std::printf("that is with weights in %s, %s of them; in f32: %s bits per byte, so %s costs %s\n", weights.c_str(),
                bytes_text(model.weight_bytes()).c_str(), fixed(*f32, 4).c_str(), weights.c_str(),
                ((bits < *f32 ? "" : "+") + fixed(bits - *f32, 4)).c_str());
  else if (model.weights() != WeightFormat::f32)
    std::printf("that is with weights in %s, %s of them, as they were saved: there is no f32 to compare with\n",
                weights.c_str(), bytes_text(model.weight_bytes()).c_str());
  if (!learner) return;
  std::fflush(stdout);  // what is known stands there, whatever happens now
  print_learned(flags, learner->read(source));
}
}  // namespace

void add_score(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("score", "measure the bits per byte of a file under a model");
  verb->add_option("MODEL", flags->model, "a model folder")->required();
  verb->add_option("FILE", flags->file, "a file or folder; - reads standard input; gzip, xz and zstd are unpacked")
      ->required();
  verb->add_option("--per-byte", flags->per_byte, "write each byte's cost in bits to this file, tab separated");
  verb->add_flag("--force", flags->force,
                 "let --per-byte and --adapt-save replace any file, also one that Statera did not write");
  add_weights(*verb, flags->weights);
  add_specials(*verb, flags->specials);
  auto* adapt = verb->add_flag("--adapt", flags->adapt,
                               "also let the model learn from what it has read, a training step per segment");
  verb->add_option("--adapt-lr", flags->online.lr, "learning rate of the training steps of --adapt")
      ->capture_default_str()
      ->needs(adapt);
  verb->add_option("--adapt-segment", flags->online.segment, "bytes of text after which --adapt makes a training step")
      ->capture_default_str()
      ->needs(adapt);
  verb->add_option("--adapt-replay", flags->online.replay, "earlier places of the text that each step learns from too")
      ->capture_default_str()
      ->needs(adapt);
  verb->add_option(
          "--adapt-pull", flags->online.pull,
          "how far each step of --adapt moves the weights back to the trained ones: 0 not at all, 1 all the way")
      ->capture_default_str()
      ->needs(adapt);
  verb->add_option("--adapt-parameters", flags->online.parameters,
                   "which parameters learn: words of their names, such as norm,in_proj; info --tensors prints them "
                   "(default: all)")
      ->needs(adapt);
  verb->add_option("--adapt-save", flags->save, "write what was learned to this file, at the end")->needs(adapt);
  auto* from =
      verb->add_option("--adapt-from", flags->from, "continue from a file that --adapt-save wrote, with its options")
          ->needs(adapt);
  for (const char* option : {"--adapt-lr", "--adapt-segment", "--adapt-replay", "--adapt-pull", "--adapt-parameters"})
    from->excludes(verb->get_option(option));
  auto* counts =
      verb->add_flag("--counts", flags->counts, "also mix the model with counts of contexts, which learn too");
  verb->add_option(
          "--before", flags->before,
          "a file that the counts read first, such as what the model was trained on; again for each further file")
      ->needs(counts);
  verb->add_option("--threads", flags->threads, "number of threads; 0: all cores")->capture_default_str();
  verb->add_flag("--json", flags->json, "print one JSON object");
  verb->footer(
      "The file is one stream from its beginning; the state is carried through all of it.\n"
      "Examples:\n  statera score out/shakespeare hamlet.txt\n  statera score out/logs today.log.xz --per-byte "
      "costs.tsv\n"
      "  statera score out/shakespeare hamlet.txt --weights int8        what 8 bits cost\n"
      "  statera score out/logs today.log --adapt --counts --before january.log\n"
      "  statera score out/logs monday.log --adapt --adapt-save learned\n"
      "  statera score out/logs tuesday.log --adapt --adapt-from learned --adapt-save learned");
  verb->callback([flags] { run(*flags); });
}

}  // namespace statera::cli
