// Passes the values of the command line to the verbs as they were typed. By itself CLI11 takes '[a,b]' apart, lets an
// option consume the words after its value (after `--flag=` also the next word), and reads 99999999999999999999 as the
// largest number, 010 as 8 and '' as 0.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace statera::cli {

using Words = std::vector<std::string>;

// argv as App::parse expects it (last word first, without the program), with marks that keep CLI11 from interpreting
// values.
Words marked_arguments(int argc, char** argv);
// The verb that was called, the inner one where verbs have verbs; the app itself if none was.
const CLI::App& chosen_verb(const CLI::App& app);
std::string chosen_words(const CLI::App& app);  // "statera tokenize encode"

// Removes the marks from every value and checks the form of numbers. Call it when all options have been added.
void read_values_as_typed(CLI::App& app);
std::string without_marks(std::string message);  // for messages of CLI11, which quote the words

// Adds an option with a list, `--name a,b`, that may be given several times. `take` gets all parts in order. Parsing
// throws UsageError for an empty part, and for anything but 64-bit integers where numbers are wanted.
CLI::Option* add_list(CLI::App& verb, const std::string& name, const std::function<void(const Words&)>& take,
                      const std::string& help);
CLI::Option* add_list(CLI::App& verb, const std::string& name, Words& values, const std::string& help);
CLI::Option* add_list(CLI::App& verb, const std::string& name, std::vector<int64_t>& values, const std::string& help);

// An addition to an error message: how to give several values. Returned if an option with several values is followed by
// two words of which the second names no file or ends the message; otherwise "".
std::string several_values_hint(const CLI::App& verb, int argc, char** argv, const std::string& message);

// CLI11's error about a command line in plainer words, where there are some: an unknown verb, a file whose name looks
// like an option, an option that is given twice.
std::string plain_message(const CLI::App& app, int argc, char** argv, std::string message);

// The message without a final advice about a flag that the verb does not have. The library does not know for which verb
// it works.
std::string without_foreign_advice(const CLI::App& verb, std::string message);

// The message without the rooms of the code that threw it ("[data] x.txt: ..."), which tell a user nothing. What is
// on the command line too stays: it may be a name of the user's.
std::string without_rooms(std::string message, int argc, char** argv);

}  // namespace statera::cli
