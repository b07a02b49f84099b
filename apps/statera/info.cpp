// statera info MODEL|PRESET: what a model consists of and costs, without running it.
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "core/check.hpp"
#include "core/fingerprint.hpp"
#include "statera/fields.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "models/language_model.hpp"
#include "models/model_files.hpp"
#include "statera/model.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
struct Flags {
  std::string model;
  int64_t length = 1024;
  bool json = false, tensors = false, list = false, keys = false, fingerprint = false;
};

// Prints "  d_state   16   states of a channel", or the same as JSON.
struct PrintKeys : KeyVisitor {
  nlohmann::ordered_json objects;
  std::string where;
  int64_t format = 1;
  void object(const std::string& name, int64_t since) override { where = name, format = since; }
  void since(int64_t added) override { format = added; }
  void add(const char* name, const nlohmann::json& value, const char* help) {
    objects[where][name] = {{"default", value}, {"since", format}, {"help", help}};
  }
  void field(const char* name, int64_t& value, const char* help) override { add(name, value, help); }
  void field(const char* name, double& value, const char* help) override {
    add(name, std::isinf(value) ? nlohmann::json("inf") : nlohmann::json(value), help);
  }
  void field(const char* name, float& value, const char* help) override { add(name, value, help); }
  void field(const char* name, bool& value, const char* help) override { add(name, value, help); }
  void field(const char* name, std::string& value, const char* help) override { add(name, value, help); }
  void nested(const char* name, const char* empty, const char* help) override {
    add(name, nlohmann::json::parse(empty), help);
  }
};

struct Collect : ParameterVisitor {
  std::vector<const Parameter*> all;
  void visit(Parameter& parameter) override { all.push_back(&parameter); }
};

constexpr int64_t contexts[] = {256, 1024, 4096, 16384, 65536};

nlohmann::ordered_json json_of(const WeightsHeader& weights) {
  return {{"format", weights.format.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(weights.format)},
          {"weights", name_of(weights.weights)},
          {"tokenizer", weights.tokenizer},
          {"tensors", weights.tensors},
          {"bytes", weights.bytes},
          {"element_types", weights.types}};
}

void print_weights(const WeightsHeader& weights) {
  std::string types;
  for (const auto& [name, count] : weights.types)
    types += (types.empty() ? "" : ", ") + std::to_string(count) + " " + name;
  std::printf("weights: %s, in %s, %lld tensors (%s), %s\n",
              weights.format.empty() ? "of another program" : ("format " + weights.format).c_str(),
              std::string(name_of(weights.weights)).c_str(), static_cast<long long>(weights.tensors), types.c_str(),
              bytes_text(static_cast<double>(weights.bytes)).c_str());
}

void print_json(const Flags& flags, const ModelConfig& config, const LanguageModel& model, const Collect& parameters,
                int64_t count, const std::optional<WeightsHeader>& weights, const std::string& fingerprint) {
  nlohmann::ordered_json out = {
      {"model", flags.model}, {"config", parse_ordered_json(config.json(), flags.model)}, {"parameters", count}};
  if (weights) out["weights"] = json_of(*weights);
  if (!fingerprint.empty()) out["fingerprint"] = fingerprint;
  const ModelCost cost = model.cost(flags.length, flags.length);
  out[weights && weights->tokenizer ? "flops_per_token" : "flops_per_byte"] = {
      {"forward", cost.forward_flops}, {"training", cost.training_flops}, {"step", cost.step_flops}};
  for (int64_t context : contexts)
    out["state_bytes"][std::to_string(context)] = model.cost(context, context).state_bytes;
  if (flags.tensors)
    for (const Parameter* p : parameters.all)
      out["tensors"][p->name] = std::vector<int64_t>(p->shape.begin(), p->shape.end());
  std::printf("%s\n", json_text(out, 2).c_str());
}

void print_keys(const Flags& flags) {
  PrintKeys keys;
  ModelConfig::visit_keys(keys);
  if (flags.json) {
    std::printf("%s\n", keys.objects.dump(2).c_str());
    return;
  }
  for (const auto& [where, fields] : keys.objects.items()) {
    std::printf("%s\n", where.c_str());
    for (const auto& [name, key] : fields.items())
      std::printf("  %-18s %-10s %s%s\n", name.c_str(), key["default"].dump().c_str(),
                  key["help"].get_ref<const std::string&>().c_str(),
                  key["since"] == 1 ? "" : (" (format " + key["since"].dump() + ")").c_str());
  }
}

void run(const Flags& flags) {
  if (flags.keys) return print_keys(flags);
  if (flags.list || flags.model.empty()) {
    if (flags.json)
      std::printf("%s\n", nlohmann::json({{"presets", ModelConfig::presets()}}).dump().c_str());
    else
      for (const std::string& name : ModelConfig::presets()) std::printf("%s\n", name.c_str());
    return;
  }
  const ModelConfig config = ModelConfig::load(flags.model);
  LanguageModel model(config);
  Collect parameters;
  model.visit_parameters(parameters);
  int64_t count = 0;
  for (const Parameter* p : parameters.all) count += p->elements();
  std::optional<WeightsHeader> weights;
  // Only a model folder has weights. For a preset or a file, config.where is what the user gave.
  if (config.where != flags.model) weights = read_weights_header(flags.model, model);
  std::string fingerprint;
  if (flags.fingerprint) {
    require(weights.has_value(), ErrorCode::config, printable(flags.model),
            ": has no weights, so it has no fingerprint; name a model folder");
    fingerprint = fingerprint_text(Model::load(flags.model).fingerprint());
  }
  if (flags.json) return print_json(flags, config, model, parameters, count, weights, fingerprint);
  std::printf("%s: %s parameters, d_model %lld, layers %s%s\n", printable(flags.model).c_str(),
              count_text(static_cast<double>(count)).c_str(), static_cast<long long>(config.d_model),
              printable(config.layers).c_str(), config.mlp.empty() ? "" : (", mlp " + printable(config.mlp)).c_str());
  for (const auto& [name, block] : config.mixers)
    std::printf("  %s = %s\n", printable(name).c_str(), printable(block).c_str());
  for (const auto& [name, block] : config.blocks)
    std::printf("  %s = %s\n", printable(name).c_str(), printable(block).c_str());
  for (size_t depth = 0; depth < config.inner.size(); ++depth)
    std::printf("  %s = %s\n", std::string(depth + 1, '[').c_str(), printable(config.inner[depth]).c_str());
  if (config.context)
    std::printf("trained on %lld %s at once\n", static_cast<long long>(config.context),
                weights && weights->tokenizer ? "tokens" : "positions");
  if (weights && weights->tokenizer)
    std::printf("reads tokens: the %lld of its tokenizer.json\n", static_cast<long long>(config.vocab_size));
  if (weights) print_weights(*weights);
  if (!fingerprint.empty()) std::printf("fingerprint: %s\n", fingerprint.c_str());
  const ModelCost cost = model.cost(flags.length, flags.length);
  std::printf("FLOPs per %s at length %lld: %s forward, %s training, %s per step\n",
              weights && weights->tokenizer ? "token" : "byte", static_cast<long long>(flags.length),
              count_text(cost.forward_flops).c_str(), count_text(cost.training_flops).c_str(),
              count_text(cost.step_flops).c_str());
  if (!config.inner.empty()) std::printf("(inner stacks counted at their target of positions per segment)\n");
  std::printf("bytes of state by context:");
  for (int64_t context : contexts)
    std::printf("  %lld: %s", static_cast<long long>(context),
                bytes_text(model.cost(context, context).state_bytes).c_str());
  std::printf("\n");
  if (flags.tensors)
    for (const Parameter* p : parameters.all) std::printf("  %-44s %s\n", p->name.c_str(), p->shape.str().c_str());
}
}  // namespace

void add_info(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("info",
                                      "show the shapes, parameters, FLOPs and state size of a model or preset; check a "
                                      "model's weights against its config");
  verb->add_option("MODEL", flags->model,
                   "a model folder, a JSON config or a preset's name; none: the list of presets");
  verb->add_flag("--tensors", flags->tensors, "every parameter with its shape");
  verb->add_flag("--presets", flags->list, "the names of the presets");
  verb->add_flag("--keys", flags->keys, "every key that a config may have, its default and its meaning");
  verb->add_flag("--fingerprint", flags->fingerprint,
                 "reads all weights and prints the fingerprint by which compressed files and snapshots name their "
                 "model");
  verb->add_option("--length", flags->length, "bytes of the sequence that the FLOPs are counted for")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 24));
  verb->add_flag("--json", flags->json, "print one JSON object");
  verb->footer(
      "Examples:\n  statera info small-hybrid\n  statera info out/shakespeare --tensors\n  statera info --keys\n  "
      "statera info");
  verb->callback([flags] { run(*flags); });
}

}  // namespace statera::cli
