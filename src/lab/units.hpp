// Units by name, for the commands: "bytes", "bpe-1024" (a byte-level BPE trained on the training text), or the path of
// a tokenizer.json, or of a folder with one.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "statera/data.hpp"
#include "statera/units.hpp"

namespace statera {

// What candidates are called by: "bpe-1024", or the name of the file without its ending. Throws ErrorCode::config for a
// specification that is none.
std::string units_name(const std::string& spec);

// Throws what make_units() would throw, before there is a text.
void check_units(const std::string& spec);

// What a user should know of these units before they are used: a line, if they are a file of another program whose ids
// nobody has checked, or else nothing. Throws what make_units() throws.
std::string units_remark(const std::string& spec);

struct UnitsOptions {
  int threads = 1;                   // of the training of a tokenizer; the result does not depend on it
  bool specials = false;             // whether special tokens that stand in the text are tokens
  std::function<void()> often = {};  // called now and then; what it throws ends the work
};

// Trains the tokenizer or reads its file. Throws ErrorCode::config for a specification that is none, ErrorCode::io, and
// what token_units() throws.
std::shared_ptr<const Units> make_units(const std::string& spec, const ByteSource& training_text,
                                        const UnitsOptions& options = {});
// The units of a stored tokenizer.json; bytes if there is none.
std::shared_ptr<const Units> units_from(std::string file, const std::string& name, bool specials = false);

}  // namespace statera
