// The verbs of `statera tokenize` that make and show tokenizers.
#pragma once
#include <string>

#include <CLI/App.hpp>

namespace statera::cli {

void add_tokenize_train(CLI::App& tokenize);
void add_tokenize_show(CLI::App& tokenize);
// The file, unpacked if it is packed.
std::string read_tokenizer_file(const std::string& path);

}  // namespace statera::cli
