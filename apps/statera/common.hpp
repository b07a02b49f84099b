// Shared by several verbs.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "statera/data.hpp"
#include "statera/device.hpp"
#include "statera/dtype.hpp"
#include "statera/model.hpp"
#include "text/quantity.hpp"

namespace statera::cli {

bool is_terminal(int fd);
std::string read_all_stdin();  // throws UsageError on a terminal, where nothing was piped in
// "90", "90s", "10m", "1h30m" -> seconds. Throws UsageError, naming `flag`, for anything else, for 0 and for more than
// a year.
double parse_seconds(const std::string& text, const std::string& flag);
std::string stem(const std::string& path);  // "out/war-and-peace.txt.xz" -> "war-and-peace"; "-" -> "stdin"
double seconds_since_start();               // the start of the program, from which a total budget counts
// Limits reading to half of the budget (in seconds; 0: no budget, no limit). If an earlier run read only `cut_bytes` of
// the data (0: they were not cut), the same bytes are read again, however long that takes. While an Interrupt lives,
// reading ends with Interrupted when it is asked to stop.
ReadOptions reading_within(double budget, int64_t cut_bytes = 0);
// Lines about what was left out: files that statera wrote, what came after half of the budget (in seconds; 0: no
// budget), and what was left out when the data were read before (`again`).
std::vector<std::string> left_out_lines(const ByteSource& source, double budget = 0, bool again = false);
void stop_if_asked();  // throws Interrupted if an Interrupt lives and was asked to stop
// Check outputs that a flag names. Throw UsageError for "-", which is not allowed here.
void check_named_file(const std::string& flag, const std::string& path);
void check_named_folder(const std::string& flag, const std::string& path);
// Throws ErrorCode::io if `path` is a file that --out would replace, unless `force`. Standard output is never refused.
void refuse_existing(const std::string& path, bool force);
void remember_command(int argc, char** argv);
// The command line as one would type it into a shell, with "statera" instead of the program's path.
const std::string& command_text();
// --threads: 0 means all cores. Throws UsageError outside 0 to 1024.
Device make_device(int threads);
// With the tokenizer of a model over tokens. `specials`: special tokens that stand in a text are tokens.
Model load_model(const std::string& folder, const Device& device, ModelOptions options, bool specials = false);
// Whether the model looks back over the text, and so no farther than the context that it was trained with. Others may
// read on for ever, and nobody need be told that they do.
bool looks_back(const Model& model);
// The flag --special-tokens.
void add_specials(CLI::App& verb, bool& specials);

std::vector<std::string> precision_names();           // "fp32", ...
std::string weights_text();                           // the formats of weights: "f32, int8 ..."
WeightFormat parse_weights(const std::string& name);  // throws UsageError for an unknown format
// Adds --weights FORMAT to a verb that loads a model. Without the flag `weights` stays empty. Parsing throws UsageError
// for an unknown format.
CLI::Option* add_weights(CLI::App& verb, std::optional<WeightFormat>& weights);

}  // namespace statera::cli
