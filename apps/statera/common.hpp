// What several verbs share.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

#include "statera/data.hpp"
#include "statera/device.hpp"
#include "statera/dtype.hpp"
#include "text/quantity.hpp"

namespace statera::cli {

bool is_terminal(int fd);
std::string read_all_stdin();  // throws UsageError on a terminal: nothing was piped in
// "90", "90s", "10m", "1h30m" -> seconds. Throws UsageError, naming `flag`, for anything else, 0, and more than a year.
double parse_seconds(const std::string& text, const std::string& flag);
std::string stem(const std::string& path);  // "out/war-and-peace.txt.xz" -> "war-and-peace"; "-" -> "stdin"
double seconds_since_start();               // of the program: a budget for everything begins there
// Reading may take half of a budget (seconds; 0: none, as long as it takes). Of data that were cut before, the same
// `cut_bytes` are read again (0: they were not), however long it takes. While an Interrupt lives, reading ends when
// that is asked (Interrupted).
ReadOptions reading_within(double budget, int64_t cut_bytes = 0);
// Lines about what was left out: because statera wrote it, because half of the budget was over (seconds; 0: there is
// none), or because it was left out when they were read before (`again`).
std::vector<std::string> left_out_lines(const ByteSource& source, double budget = 0, bool again = false);
void stop_if_asked();  // throws Interrupted if an Interrupt lives and was asked
// Outputs that a flag names. Throws UsageError for "-", which stands for nothing here.
void check_named_file(const std::string& flag, const std::string& path);
void check_named_folder(const std::string& flag, const std::string& path);
void remember_command(int argc, char** argv);
const std::string&
command_text();  // the command line as a shell would take it, "statera" in place of the program's path
// --threads: 0 means all cores. Throws UsageError outside 0 to 1024.
Device make_device(int threads);

std::vector<std::string> precision_names();           // "fp32" ...
std::string weights_text();                           // the formats of weights, "f32, int8 ..."
WeightFormat parse_weights(const std::string& name);  // throws UsageError for one that is unknown
// --weights FORMAT, of a verb that loads a model; `weights` stays empty without it. Parsing throws UsageError for one
// that is unknown.
CLI::Option* add_weights(CLI::App& verb, std::optional<WeightFormat>& weights);

}  // namespace statera::cli
