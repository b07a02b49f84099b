#include "tokenizers/gguf_metadata.hpp"

#include <cstring>

#include "core/check.hpp"
#include "io/printable.hpp"

namespace statera::tokenizers {

namespace {

enum : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64, none };
constexpr size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};  // of the types; 0: it says its size itself

}  // namespace

class GgufMetadata::Reader {
 public:
  explicit Reader(GgufMetadata& file) : file_(file), rest_(file.file_) {}

  template <class Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) file_.damaged("it ends before its metadata do");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view text() { return take(number<uint64_t>()); }

  Value value() {
    const auto type = number<uint32_t>();
    if (type != array) return {type, none, 1, one(type)};
    const auto element = number<uint32_t>();
    const auto count = number<uint64_t>();
    const char* begin = rest_.data();
    if (element != string) {
      const size_t size = size_of(element);
      if (count > rest_.size() / size) file_.damaged("a list in it is longer than the file");
      take(count * size);
    } else {
      for (uint64_t i = 0; i < count; ++i) text();
    }
    return {array, element, count, {begin, static_cast<size_t>(rest_.data() - begin)}};
  }

 private:
  size_t size_of(uint32_t type) const {
    if (type >= none || sizes[type] == 0) file_.damaged("a value in it has the unknown type " + std::to_string(type));
    return sizes[type];
  }
  std::string_view one(uint32_t type) { return type == string ? text() : take(size_of(type)); }

  GgufMetadata& file_;
  std::string_view rest_;
};

GgufMetadata::GgufMetadata(std::string_view bytes, const std::string& where) : file_(bytes), where_(where) {
  Reader reader(*this);
  reader.take(4);
  const auto version = reader.number<uint32_t>();
  require(version == 2 || version == 3, ErrorCode::unsupported, where, ": version ", version,
          " of GGUF is not known; expected 2 or 3");
  reader.number<uint64_t>();  // tensors
  for (auto keys = reader.number<uint64_t>(); keys > 0; --keys) {
    const std::string key(reader.text());
    if (key.empty() || key.size() > 65535) damaged("a key in it has " + std::to_string(key.size()) + " bytes");
    if (!values_.emplace(key, reader.value()).second) damaged("the key " + in_quotes(key) + " occurs twice");
  }
}

void GgufMetadata::damaged(const std::string& what) const {
  // In a binary file these three bytes are rare; a program that takes it for text puts them in place of all others.
  const bool as_text = file_.substr(0, 4096).find("\xEF\xBF\xBD") != file_.npos;
  fail(ErrorCode::config, where_, ": the GGUF file is damaged (", what, ")",
       as_text ? "; bytes in it were replaced by U+FFFD, as happens when it is saved as text" : "", "; fetch it again");
}

const GgufMetadata::Value& GgufMetadata::expect(const std::string& key, uint32_t type, uint32_t element_type,
                                                const char* expected) const {
  const auto found = values_.find(key);
  require(found != values_.end(), ErrorCode::config, where_, ": the key ", in_quotes(key), " is missing; expected ",
          expected);
  require(found->second.type == type && found->second.element_type == element_type, ErrorCode::config, where_,
          ": the key ", in_quotes(key), " has another type; expected ", expected);
  return found->second;
}

std::string_view GgufMetadata::text(const std::string& key) const {
  return expect(key, string, none, "a string").bytes;
}
std::string_view GgufMetadata::text(const std::string& key, std::string_view otherwise) const {
  return has(key) ? text(key) : otherwise;
}
bool GgufMetadata::flag(const std::string& key, bool otherwise) const {
  return has(key) ? expect(key, boolean, none, "a bool").bytes[0] != 0 : otherwise;
}

std::optional<int64_t> GgufMetadata::number(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  uint32_t value;
  const bool is_signed = values_.at(key).type == i32;
  std::memcpy(&value, expect(key, is_signed ? i32 : u32, none, "a whole number of 32 bits").bytes.data(), sizeof value);
  return is_signed ? int64_t{static_cast<int32_t>(value)} : int64_t{value};
}

std::vector<std::string_view> GgufMetadata::texts(const std::string& key) const {
  const Value& value = expect(key, array, string, "a list of strings");
  std::vector<std::string_view> all;
  all.reserve(value.count);
  std::string_view rest = value.bytes;
  for (uint64_t i = 0; i < value.count; ++i) {
    uint64_t size;
    std::memcpy(&size, rest.data(), sizeof size);
    all.push_back(rest.substr(sizeof size, size));
    rest.remove_prefix(sizeof size + size);
  }
  return all;
}

template <class Number>
std::vector<Number> GgufMetadata::list(const std::string& key, uint32_t element_type, const char* expected) const {
  if (!has(key)) return {};
  const Value& value = expect(key, array, element_type, expected);
  std::vector<Number> all(value.count);
  if (value.count > 0) std::memcpy(all.data(), value.bytes.data(), value.bytes.size());
  return all;
}

std::vector<float> GgufMetadata::reals(const std::string& key) const {
  return list<float>(key, f32, "a list of 32-bit floats");
}
std::vector<int32_t> GgufMetadata::numbers(const std::string& key) const {
  return list<int32_t>(key, i32, "a list of 32-bit integers");
}

}  // namespace statera::tokenizers
