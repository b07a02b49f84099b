// Reads and writes configs as JSON, through the fields that each config lists in visit() (statera/fields.hpp).
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "statera/fields.hpp"
#include "core/function_ref.hpp"

namespace statera {

// A JSON object as text, and where it comes from, for messages: "configs/x.json: mixers.m".
struct JsonText {
  std::string text;
  std::string where;
};

// Reads a config file of at most 1 MiB and sets `where` to its path. Throws ErrorCode::io, also if a pipe yields
// nothing within `seconds`.
JsonText read_json_file(const std::string& path, double seconds = 10);

using VisitFields = FunctionRef<void(FieldVisitor&)>;
void read_fields_erased(const JsonText&, VisitFields, std::initializer_list<std::string_view> ignored);
std::string write_fields_erased(VisitFields,
                                std::initializer_list<std::pair<std::string_view, std::string_view>> before);
std::vector<std::string> differing_fields_erased(VisitFields a, VisitFields b);

// Sets the fields that the object has; the others keep their values. "inf" and "-inf" stand for infinity. Throws
// ErrorCode::config for a key that is neither known nor in `ignored`, a value of another type, a number that does not
// fit, and whatever parse_json() refuses.
template <class Config>
void read_fields(const JsonText& json, Config& config, std::initializer_list<std::string_view> ignored = {}) {
  Config read = config;  // so that `config` stays unchanged if something is wrong
  auto visit = [&](FieldVisitor& v) { read.visit(v); };
  read_fields_erased(json, visit, ignored);
  config = std::move(read);
}

// The config as one line of JSON: the strings of `before` ({{"type", "mamba2"}}), then the fields in the order of
// visit(). Reading it gives an equal config.
template <class Config>
std::string write_fields(Config config,
                         std::initializer_list<std::pair<std::string_view, std::string_view>> before = {}) {
  auto visit = [&](FieldVisitor& v) { config.visit(v); };
  return write_fields_erased(visit, before);
}

// One line, like "d_state: 64 and 128", for each field in which two configs differ.
template <class Config>
std::vector<std::string> differing_fields(Config a, Config b) {
  auto visit_a = [&](FieldVisitor& v) { a.visit(v); };
  auto visit_b = [&](FieldVisitor& v) { b.visit(v); };
  return differing_fields_erased(visit_a, visit_b);
}

}  // namespace statera
