// Writes GGUF metadata.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace statera::test {

class Gguf {
 public:
  void text(const std::string& key, const std::string& value) {
    begin(key, 8);
    put(value);
  }
  void flag(const std::string& key, bool value) {
    begin(key, 7);
    keys_ += static_cast<char>(value);
  }
  void number(const std::string& key, uint32_t value) {
    begin(key, 4);
    put(value);
  }
  void texts(const std::string& key, const std::vector<std::string>& values) {
    list(key, 8, values.size());
    for (const std::string& value : values) put(value);
  }
  void numbers(const std::string& key, const std::vector<int32_t>& values) {
    list(key, 5, values.size());
    for (const int32_t value : values) put(value);
  }
  void reals(const std::string& key, const std::vector<float>& values) {
    list(key, 6, values.size());
    for (const float value : values) put(value);
  }
  std::string bytes(uint32_t version = 3) const {
    std::string all = "GGUF";
    const auto add = [&](auto value) { all.append(reinterpret_cast<const char*>(&value), sizeof value); };
    add(version);
    add(uint64_t{0});
    add(count_);
    return all + keys_;
  }

 private:
  template <class Number>
  void put(Number value) {
    keys_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(const std::string& value) {
    put(uint64_t{value.size()});
    keys_ += value;
  }
  void begin(const std::string& key, uint32_t type) {
    ++count_;
    put(key);
    put(type);
  }
  void list(const std::string& key, uint32_t element, uint64_t count) {
    begin(key, 9);
    put(element);
    put(count);
  }
  std::string keys_;
  uint64_t count_ = 0;
};

}  // namespace statera::test
