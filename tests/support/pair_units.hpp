// Units for tests: the 256 bytes, and 26 tokens "aa" to "zz" of two bytes each. The id after those ends a text.
#pragma once
#include <string>

#include "core/check.hpp"
#include "statera/units.hpp"

namespace statera::test {

class PairUnits : public Units {
 public:
  static constexpr int32_t first_pair = 256, end = 282;

  explicit PairUnits(std::string file = "{\"pairs\": true}") : file_(std::move(file)) {}
  std::string name() const override { return "pairs"; }
  int64_t size() const override { return end + 1; }
  bool takes_any_bytes() const override { return true; }
  std::vector<int32_t> ids(std::string_view text) const override { return encode(text).ids; }
  UnitIds encode(std::string_view text) const override {
    UnitIds all;
    for (size_t i = 0; i < text.size(); ++i) {
      const bool pair = text[i] >= 'a' && text[i] <= 'z' && i + 1 < text.size() && text[i + 1] == text[i];
      all.ids.push_back(pair ? first_pair + text[i] - 'a' : static_cast<unsigned char>(text[i]));
      all.bytes.push_back(pair ? 2 : 1);
      i += pair;
    }
    return all;
  }
  std::unique_ptr<UnitReader> reader() const override { return std::make_unique<Reader>(); }
  bool ends_text(int32_t id) const override { return id == end; }
  const std::string& file() const override { return file_; }

 private:
  struct Reader : UnitReader {
    std::string push(int32_t id) override {
      require(id >= 0 && id <= end, ErrorCode::config, "no id of the pairs: ", id);
      if (id == end) return "<end>";
      return id < first_pair ? std::string(1, static_cast<char>(id))
                             : std::string(2, static_cast<char>('a' + id - first_pair));
    }
  };
  std::string file_;
};

}  // namespace statera::test
