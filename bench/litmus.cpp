// One run of the litmus test (bench/litmus.sh): trains a model on a text with fillers in it, judges it on held-out
// text with as many fillers, and prints one line of JSON.
//
// usage: litmus TEXT CONFIG FOLDER growth=4 kind=random|even|many steps=2000 batch=2 length=256 lr=0.004 seed=1
// [ratio=growing]
//
// ratio=growing: the target of an H-Net is multiplied by the growth.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <numbers>
#include <string>

#include <nlohmann/json.hpp>

#include "core/check.hpp"
#include "lab/measure/filler.hpp"
#include "lab/segments/segments.hpp"
#include "models/language_model.hpp"
#include "statera/data.hpp"
#include "statera/error.hpp"
#include "statera/train.hpp"

namespace statera {
namespace {

constexpr int32_t reserved = 64;  // different fillers of the kind `many`
constexpr int64_t judged_bytes = 32768, read_bytes = 4096, judged_context = 4096;

using Json = nlohmann::ordered_json;

std::map<std::string, std::string> arguments(int argc, char** argv) {
  std::map<std::string, std::string> all;
  for (int i = 4; i < argc; ++i) {
    const std::string one = argv[i];
    const size_t at = one.find('=');
    require(at != one.npos, ErrorCode::config, "'", one, "' is not name=value");
    all[one.substr(0, at)] = one.substr(at + 1);
  }
  return all;
}

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The first `bytes` bytes of the text as a stream with fillers, and how many of its ids are those.
struct Stream {
  std::vector<int32_t> ids;
  int64_t fillers = 0, bytes = 0;
};

Stream stream_of(const IdSource& source, const Fillers& fillers) {
  FillerStream windows(source, 1, read_bytes * fillers.growth, fillers, 1);
  const Batch batch = windows.spread(0, 1);
  Stream stream{.ids = batch.inputs.ids};
  for (const int32_t id : stream.ids) (id >= begin_id ? stream.fillers : stream.bytes) += 1;
  return stream;
}

// Of the innermost stack: how many of its cuts are at fillers.
void add_cuts(const Model& model, const Stream& stream, Json& out) {
  const auto stages = cuts_of(model, stream.ids);
  int64_t at_fillers = 0;
  for (const Cut& cut : stages.back()) at_fillers += stream.ids[static_cast<size_t>(cut.row)] >= begin_id;
  const auto share = [](int64_t part, int64_t all) {
    return all == 0 ? Json() : Json(static_cast<double>(part) / static_cast<double>(all));
  };
  out["fillers_cut"] = share(at_fillers, stream.fillers);
  out["bytes_cut"] = share(std::ssize(stages.back()) - at_fillers, stream.bytes);
  out["inner_steps_per_byte"] = share(std::ssize(stages.back()), stream.bytes);
}

Json run(int argc, char** argv) {
  const std::map<std::string, std::string> given = arguments(argc, argv);
  const auto whole = [&](const char* name) { return static_cast<int64_t>(std::stoll(given.at(name))); };
  const std::string kind = given.at("kind");
  Fillers fillers{.growth = whole("growth"), .even = kind == "even"};
  ModelConfig config = ModelConfig::load(argv[2]);
  if (kind == "many") {
    fillers.first = begin_id;
    fillers.ids = reserved;
    config.vocab_size += reserved;
  }
  const bool growing = given.contains("ratio") && given.at("ratio") == "growing";
  if (growing) {  // as many segments per byte of text, however many fillers there are
    Json stage = Json::parse(config.inner.at(0));
    stage["ratio"] = stage.at("ratio").get<double>() * static_cast<double>(fillers.growth);
    config.inner[0] = stage.dump();
  }
  const int64_t length = whole("length");
  const TrainOptions options{.steps = whole("steps"),
                             .batch = whole("batch"),
                             .length = length * fillers.growth,
                             .lr = static_cast<float>(std::stod(given.at("lr"))),
                             .seed = whole("seed"),
                             .evaluate_every = whole("steps"),
                             .evaluate_bytes = 1,
                             .final_bytes = 1};
  const auto [text, held_out] = ByteSource(argv[1]).split(0.1);
  Model model(config, Device::cpu({.threads = 1}));
  model.init(static_cast<uint64_t>(options.seed));
  FillerTraining data(text, held_out, options, fillers);
  const double begin = cpu_seconds();
  train(model, data.data(), options, {.out = argv[3], .resume = true, .forecast = false});
  Json out = {{"config", std::string(argv[2]) + (growing ? ", ratio growing" : "")},
              {"growth", fillers.growth},
              {"kind", kind},
              {"seed", options.seed},
              {"lr", given.at("lr")}};
  out["bytes_read"] = options.steps * options.batch * length;
  out["train_seconds"] = cpu_seconds() - begin;
  const double before = cpu_seconds();
  out["bits_per_byte"] = noise_cost(model, held_out, fillers, length, judged_bytes) / std::numbers::ln2;
  out["read_seconds_per_byte"] = (cpu_seconds() - before) / static_cast<double>(judged_bytes);
  const Stream stream = stream_of(held_out, fillers);
  if (modules_of(model).layout().clocks > 1) {
    require(config.inner.size() == 1, ErrorCode::config, "the litmus test is for models with one stage at most");
    add_cuts(model, stream, out);
    Json stage = Json::parse(config.inner[0]);  // FLOPs and state are those of the segments that were read
    stage["ratio"] = static_cast<double>(fillers.growth) / out["inner_steps_per_byte"].get<double>();
    config.inner[0] = stage.dump();
  }
  const LanguageModel modules(config);
  const int64_t positions = judged_context * fillers.growth;
  out["flops_per_byte"] = modules.cost(positions, positions).forward_flops * static_cast<double>(fillers.growth);
  out["state_bytes_per_byte"] = modules.cost(1, positions).state_bytes / static_cast<double>(judged_context);
  return out;
}

}  // namespace
}  // namespace statera

int main(int argc, char** argv) try {
  if (argc < 5) {
    std::fprintf(
        stderr,
        "usage: litmus TEXT CONFIG FOLDER growth=4 kind=random steps=2000 batch=2 length=256 lr=0.004 seed=1\n");
    return 2;
  }
  std::printf("%s\n", statera::run(argc, argv).dump().c_str());
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "litmus: %s\n", error.what());
  return 1;
}
