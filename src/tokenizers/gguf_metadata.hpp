// The keys and values at the beginning of a GGUF file. Borrows the bytes of the file, as do the texts that it returns.
// Immutable; thread-safe.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace statera::tokenizers {

class GgufMetadata {
 public:
  // `bytes`: the file, or a beginning of it that holds all keys. Throws ErrorCode::config, naming `where`, if it is
  // damaged or cut, ErrorCode::unsupported for a version that is not known.
  GgufMetadata(std::string_view bytes, const std::string& where);

  bool has(const std::string& key) const { return values_.contains(key); }
  // Each throws ErrorCode::config, naming the key, if the value is there and of another type; and if it is not there,
  // unless there is an `otherwise`.
  std::string_view text(const std::string& key) const;
  std::string_view text(const std::string& key, std::string_view otherwise) const;
  bool flag(const std::string& key, bool otherwise) const;
  std::optional<int64_t> number(const std::string& key) const;
  std::vector<std::string_view> texts(const std::string& key) const;
  std::vector<float> reals(const std::string& key) const;      // f32; empty if there is none
  std::vector<int32_t> numbers(const std::string& key) const;  // i32; empty if there is none

 private:
  struct Value {
    uint32_t type, element_type;
    uint64_t count;          // of elements
    std::string_view bytes;  // of the value, or of all elements
  };
  class Reader;
  [[noreturn]] void damaged(const std::string& what) const;
  const Value& expect(const std::string& key, uint32_t type, uint32_t element_type, const char* expected) const;
  template <class Number>
  std::vector<Number> list(const std::string& key, uint32_t element_type, const char* expected) const;

  std::string_view file_;
  std::string where_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace statera::tokenizers
