// The verbs of the command line. Each function adds a subcommand. Its callback does the work and throws statera::Error
// or UsageError.
#pragma once
#include <stdexcept>

#include <CLI/App.hpp>

namespace statera::cli {

struct UsageError : std::runtime_error {  // wrong use: exit status 2
  using std::runtime_error::runtime_error;
};
struct Interrupted {};  // thrown after Ctrl-C, when everything has been saved: exit status 130

void add_train(CLI::App& app);
void add_compare(CLI::App& app);
void add_generate(CLI::App& app);
void add_score(CLI::App& app);
void add_info(CLI::App& app);
void add_bench(CLI::App& app);
void add_report(CLI::App& app);
void add_convert(CLI::App& app);
void add_segments(CLI::App& app);
void add_compress(CLI::App& app);
void add_decompress(CLI::App& app);
void add_tokenize(CLI::App& app);

}  // namespace statera::cli
