// An object of tokenizer.json that is read field by field. Whatever nobody has asked for is an error, since it would
// change what the tokenizer does. Include it in .cpp files only. Not thread safe.
#pragma once
#include <concepts>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "core/check.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"

namespace statera::tokenizers {

class JsonPart {
 public:
  // Borrows `value`. Errors are ErrorCode::config and begin with `where`: "a.json: decoder".
  JsonPart(const nlohmann::json& value, std::string where, bool is_document = false)
      : value_(value), where_(std::move(where)), is_document_(is_document) {
    require(value.is_object(), ErrorCode::config, where_, ": expected an object, got ", value.type_name());
  }

  const std::string& where() const { return where_; }
  bool has(const char* key) {
    asked_.insert(key);
    return value_.contains(key) && !value_[key].is_null();
  }
  // The field, whatever it is. Throws if it is not there.
  const nlohmann::json& operator[](const char* key) {
    require(has(key), ErrorCode::config, where_, ": ", in_quotes(key), " is missing");
    return value_[key];
  }
  std::string place(const char* key) const { return where_ + (is_document_ ? ": " : ".") + key; }
  JsonPart part(const char* key) { return JsonPart((*this)[key], place(key)); }

  bool flag(const char* key) { return typed(key, &nlohmann::json::is_boolean, "true or false").get<bool>(); }
  bool flag(const char* key, bool otherwise) { return has(key) ? flag(key) : otherwise; }
  std::string text(const char* key) { return typed(key, &nlohmann::json::is_string, "a string").get<std::string>(); }
  int64_t number(const char* key, int64_t least, int64_t most) {
    const nlohmann::json& field = typed(key, &nlohmann::json::is_number_integer, "a whole number");
    const bool fits = !field.is_number_unsigned() || field.get<uint64_t>() <= INT64_MAX;
    const int64_t number = fits ? field.get<int64_t>() : INT64_MAX;
    require(number >= least && number <= most, ErrorCode::config, place(key), ": expected ", least, " to ", most,
            ", got ", json_text(field));
    return number;
  }
  const nlohmann::json& list(const char* key) { return typed(key, &nlohmann::json::is_array, "a list"); }

  // Throws ErrorCode::unsupported, naming it, if there is a field that was not asked for.
  void done() const {
    for (const auto& [key, field] : value_.items())
      require(asked_.contains(key), ErrorCode::unsupported, where_, ": ", in_quotes(key),
              " is not known here, so the ids could be others than those that are meant");
  }

 private:
  const nlohmann::json& typed(const char* key, bool (nlohmann::json::*is)() const, const char* expected) {
    const nlohmann::json& field = (*this)[key];
    require((field.*is)(), ErrorCode::config, place(key), ": expected ", expected, ", got ", field.type_name());
    return field;
  }

  const nlohmann::json& value_;
  std::string where_;
  bool is_document_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace statera::tokenizers
