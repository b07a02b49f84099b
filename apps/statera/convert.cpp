// statera convert MODEL: saves the model with its weights in another format, in a new folder.
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/Option.hpp>
#include <nlohmann/json.hpp>

#include "common.hpp"
#include "interrupt.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "models/model_files.hpp"
#include "statera/error.hpp"
#include "statera/model.hpp"
#include "verbs.hpp"

namespace statera::cli {

namespace {
struct Flags {
  std::string model, out;
  std::optional<WeightFormat> weights;
  bool json = false;
};

void run(const Flags& flags) {
  check_named_folder("--out", flags.out);
  const Interrupt interrupt;  // the folder is written completely, or nothing of it is left
  OutputFolder out(flags.out, model_files(), Earlier::refused);
  const Model model = Model::load(flags.model, make_device(0), {.training = false, .weights = flags.weights});
  if (!Interrupt::asked()) write_model(model, out);
  if (Interrupt::asked()) throw Interrupted();
  out.check_place();
  const std::string weights(name_of(model.weights()));
  if (flags.json)
    std::printf("%s\n", json_text(nlohmann::json({{"model", flags.model},
                                                  {"out", flags.out},
                                                  {"weights", weights},
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
  CLI::App* verb = app.add_subcommand("convert", "write a model with its weights in another format");
  verb->add_option("MODEL", flags->model, "a model folder")->required();
  verb->add_option("--out", flags->out, "the new folder")->required();
  add_weights(*verb, flags->weights)->required();
  verb->add_flag("--json", flags->json, "print one JSON object");
  verb->footer(
      "int8 and int4 are for inference only. They are made from f32 and cannot be converted further.\n"
      "Examples:\n  statera convert out/book --weights int8 --out out/book-int8");
  verb->callback([flags] { run(*flags); });
}

}  // namespace statera::cli
