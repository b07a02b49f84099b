// statera convert MODEL: saves the model with its weights in another format, or a published model of another project as
// one of ours, in a new folder.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "import/examples.hpp"
#include "import/import.hpp"
#include "interrupt.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "models/model_files.hpp"
#include "statera/error.hpp"
#include "statera/model.hpp"
#include "text/number.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
struct Flags {
  std::string model, out;
  std::optional<WeightFormat> weights;
  bool json = false;
};

bool is_published(const std::string& folder) {
  std::error_code ignored;
  return std::filesystem::exists(folder + "/config.json", ignored) && importer_for(folder);
}

std::string checked_examples(const std::string& folder, const Model& model) {
  if (const auto distance = distance_from_examples(folder, model)) {
    require_examples(folder, *distance);
    return "passed, the logits differ from those of expected.safetensors by " + scientific(*distance, 1) +
           " of the largest";
  }
  return "the folder brings no expected.safetensors, so its logits are not checked";
}

void run(const Flags& flags) {
  check_named_folder("--out", flags.out);
  const bool published = is_published(flags.model);
  if (!published && !flags.weights)
    throw UsageError("--weights is missing: the format of the weights; only a published model needs none");
  const Interrupt interrupt;  // the folder is written completely, or nothing of it is left
  OutputFolder out(flags.out, model_files(), Earlier::refused);
  const ModelOptions options{.training = false, .weights = flags.weights};
  const Model model =
      published ? import_model(flags.model, make_device(0), options) : load_model(flags.model, make_device(0), options);
  const std::string checked = published ? checked_examples(flags.model, model) : "";
  if (!Interrupt::asked()) write_model(model, out);
  if (Interrupt::asked()) throw Interrupted();
  out.check_place();
  const std::string weights(name_of(model.weights()));
  if (published && !flags.json) std::printf("self-test: %s\n", checked.c_str());
  if (flags.json)
    std::printf("%s\n", json_text(nlohmann::json({{"model", flags.model},
                                                  {"out", flags.out},
                                                  {"weights", weights},
                                                  {"self_test", checked},
                                                  {"weight_bytes", static_cast<int64_t>(model.weight_bytes())}}))
                            .c_str());
  else
    std::printf("%s of weights in %s: the model is in %s; try: statera generate %s\n",
                bytes_text(model.weight_bytes()).c_str(), weights.c_str(), printable(flags.out).c_str(),
                printable(flags.out).c_str());
}
}  // namespace

void add_convert(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand(
      "convert", "write a model with its weights in another format, or a published model as one of ours");
  verb->add_option("MODEL", flags->model,
                   "a model folder, or one of another project: config.json and model.safetensors")
      ->required();
  verb->add_option("--out", flags->out, "the new folder")->required();
  add_weights(*verb, flags->weights);
  verb->add_flag("--json", flags->json, "print one JSON object");
  verb->footer(
      "A model of Statera needs --weights; one of another project takes none.\n"
      "int8 and int4 are for inference only. They are made from f32 and cannot be converted further.\n"
      "A model of another project becomes one in f32. Known: H-Net (goombalab/hnet).\n"
      "Examples:\n  statera convert out/book --weights int8 --out out/book-int8\n"
      "  statera convert hnet-published/ --out out/hnet");
  verb->callback([flags] { run(*flags); });
}

}  // namespace statera::cli
