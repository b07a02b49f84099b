// statera segments MODEL FILE: where the inner stacks of a model cut a text, as a page.
#include <cstdio>
#include <memory>

#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "interrupt.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "lab/segments/segments.hpp"
#include "statera/data.hpp"
#include "text/number.hpp"
#include "text/quantity.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
struct Flags {
  std::string model, file, out;
  int64_t max_bytes = 20000;
  int threads = 0;
  bool force = false, json = false;
};

nlohmann::ordered_json json_of(const Flags& flags, size_t bytes, std::span<const SegmentStage> stages) {
  nlohmann::ordered_json out = {{"file", flags.file}, {"bytes", bytes}, {"page", flags.out}};
  for (const SegmentStage& stage : stages) {
    nlohmann::ordered_json segments = nlohmann::ordered_json::array();
    for (const Segment& s : stage.segments) segments.push_back({{"begin", s.begin}, {"probability", s.probability}});
    out["stages"].push_back({{"bytes_per_segment", stage.bytes_per_segment}, {"segments", segments}});
  }
  return out;
}

void run(Flags flags) {
  const Interrupt interrupt;  // no partial page is left
  if (flags.out.empty()) flags.out = stem(flags.file) + "-segments.html";
  check_named_file("--out", flags.out);
  refuse_existing(flags.out, flags.force);
  AtomicFile page(flags.out, stop_if_asked);
  const Model model = Model::load(flags.model, make_device(flags.threads), {.training = false});
  const ByteSource source(flags.file, reading_within(0));
  for (const std::string& line : left_out_lines(source)) std::fprintf(stderr, "statera segments: %s\n", line.c_str());
  std::string text;
  for (int64_t i = 0; i < source.documents() && static_cast<int64_t>(text.size()) < flags.max_bytes; ++i) {
    const auto document = source.document(i);
    text.append(document.begin(), document.end());
  }
  text.resize(std::min(text.size(), static_cast<size_t>(flags.max_bytes)));
  if (static_cast<int64_t>(text.size()) < source.bytes())
    std::fprintf(stderr, "statera segments: shows the first %s of %s; --max-bytes shows more\n",
                 bytes_text(static_cast<double>(text.size())).c_str(),
                 bytes_text(static_cast<double>(source.bytes())).c_str());
  const std::vector<SegmentStage> stages = segments_of(model, text, [](size_t) { stop_if_asked(); });
  page.write(segments_page(printable(flags.file), text, stages));
  page.commit();
  if (flags.json) {
    std::printf("%s\n", json_text(json_of(flags, text.size(), stages)).c_str());
    return;
  }
  for (size_t i = 0; i < stages.size(); ++i)
    std::printf("stage %zu: %zu segments in %zu bytes, %s bytes each\n", i + 1, stages[i].segments.size(), text.size(),
                fixed(stages[i].bytes_per_segment, 2).c_str());
  std::printf("the page is %s\n", printable(flags.out).c_str());
}
}  // namespace

void add_segments(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("segments", "show where a model with inner stacks cuts a text");
  verb->add_option("MODEL", flags->model, "a model folder")->required();
  verb->add_option("FILE", flags->file, "a file or folder; - reads standard input; gzip, xz and zstd are unpacked")
      ->required();
  verb->add_option("--out", flags->out, "the page to write (default: NAME-segments.html)");
  verb->add_option("--max-bytes", flags->max_bytes, "show so many bytes from the beginning")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24))
      ->capture_default_str();
  verb->add_option("--threads", flags->threads, "number of threads (default: all cores)");
  verb->add_flag("--force", flags->force, "replace the page if it exists");
  verb->add_flag("--json", flags->json, "print one JSON object, with every segment");
  verb->footer("Examples:\n  statera segments out/book chapter.txt --out chapter.html");
  verb->callback([flags] { run(*flags); });
}

}  // namespace statera::cli
