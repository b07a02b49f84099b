#include "statera/units.hpp"

#include <utility>

#include "core/check.hpp"

namespace statera {

std::vector<float> per_byte(std::span<const float> costs, const UnitIds& ids) {
  require(costs.size() == ids.ids.size() && (ids.bytes.empty() || ids.bytes.size() == costs.size()), ErrorCode::shape,
          "[units] ", costs.size(), " costs of ", ids.ids.size(), " ids");
  if (ids.bytes.empty()) return {costs.begin(), costs.end()};
  std::vector<float> all;
  double waiting = 0;  // the cost of ids without bytes
  for (size_t i = 0; i < costs.size(); ++i) {
    waiting += static_cast<double>(costs[i]);
    if (ids.bytes[i] == 0) continue;
    all.insert(all.end(), static_cast<size_t>(ids.bytes[i]), static_cast<float>(waiting / ids.bytes[i]));
    waiting = 0;
  }
  require(!all.empty() || costs.empty(), ErrorCode::shape, "[units] ", costs.size(), " ids stand for no byte");
  if (!all.empty()) all.back() += static_cast<float>(waiting);
  return all;
}

namespace {
struct ByteReader : UnitReader {
  std::string push(int32_t id) override {
    require(id >= 0 && id < 256, ErrorCode::config, "[units] the id ", id, " is no byte; expected 0 to 255");
    return std::string(1, static_cast<char>(id));
  }
};

struct Bytes : Units {
  std::string name() const override { return "bytes"; }
  int64_t size() const override { return 256; }
  bool takes_any_bytes() const override { return true; }
  std::vector<int32_t> ids(std::string_view text) const override {
    std::vector<int32_t> all;
    all.reserve(text.size());
    for (const char c : text) all.push_back(static_cast<unsigned char>(c));
    return all;
  }
  UnitIds encode(std::string_view text) const override { return {ids(text), {}}; }
  std::unique_ptr<UnitReader> reader() const override { return std::make_unique<ByteReader>(); }
  bool ends_text(int32_t) const override { return false; }
  const std::string& file() const override {
    static const std::string none;
    return none;
  }
};

class Unknown : public Bytes {
 public:
  Unknown(int64_t size, std::string file) : size_(size), file_(std::move(file)) {}
  std::string name() const override { return std::to_string(size_) + " ids"; }
  int64_t size() const override { return size_; }
  std::vector<int32_t> ids(std::string_view) const override { missing(); }
  UnitIds encode(std::string_view) const override { missing(); }
  std::unique_ptr<UnitReader> reader() const override { missing(); }
  const std::string& file() const override { return file_; }

 private:
  [[noreturn]] void missing() const {
    fail(ErrorCode::config, "[units] the model reads ", size_,
         " ids, and nobody said what they mean: give it ids, or load it together with the tokenizer.json of its folder "
         "(statera/tokenizer.hpp)");
  }
  int64_t size_;
  std::string file_;
};
}  // namespace

std::shared_ptr<const Units> byte_units() {
  static const std::shared_ptr<const Units> units = std::make_shared<Bytes>();
  return units;
}

std::shared_ptr<const Units> unknown_units(int64_t size, std::string file) {
  return std::make_shared<Unknown>(size, std::move(file));
}

}  // namespace statera
