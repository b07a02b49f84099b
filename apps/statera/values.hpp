// Values of the command line reach the verbs as they were typed. Left to itself, CLI11 takes '[a,b]' apart, lets an
// option eat the words behind its value and, after `--flag=`, the next word, and reads 99999999999999999999 as the
// largest number, 010 as 8 and '' as 0.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace statera::cli {

using Words = std::vector<std::string>;

// argv as App::parse takes it (the last word first, without the program), marked so that nothing in a value means
// anything to CLI11.
Words marked_arguments(int argc, char** argv);
// Takes the marks off every value and holds numbers to their form; call it when all options are there.
void read_values_as_typed(CLI::App& app);
std::string without_marks(std::string message);  // of CLI11's messages, which quote the words

// An option with a list, `--name a,b`, that may also be given several times; `take` gets all parts, in order. Parsing
// throws UsageError for an empty part, and for what is no whole number of 64 bits where numbers are wanted.
CLI::Option* add_list(CLI::App& verb, const std::string& name, const std::function<void(const Words&)>& take,
                      const std::string& help);
CLI::Option* add_list(CLI::App& verb, const std::string& name, Words& values, const std::string& help);
CLI::Option* add_list(CLI::App& verb, const std::string& name, std::vector<int64_t>& values, const std::string& help);

// What to add to a message: how several values are given, where an option with several is followed by two words and the
// second names no file or is what the message ends with. "" otherwise.
std::string several_values_hint(const CLI::App& verb, int argc, char** argv, const std::string& message);

// What CLI11 says of a command line that it cannot parse, in plain words where there are some: a verb that is none, a
// file whose name begins like an option, an option that is given twice.
std::string plain_message(const CLI::App& app, int argc, char** argv, std::string message);

// The message without a last advice that ends with a flag which the verb does not have: the library does not know which
// verb it works for.
std::string without_foreign_advice(const CLI::App& verb, std::string message);

}  // namespace statera::cli
