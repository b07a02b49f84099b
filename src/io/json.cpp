#include "io/json.hpp"

#include <set>
#include <vector>

#include "core/check.hpp"
#include "io/printable.hpp"

namespace statera {

namespace {
using nlohmann::json;

// Checks the text before anything is built from it. The library's own callback could do so too, but takes quadratic
// time.
class Limits : public nlohmann::json_sax<json> {
 public:
  explicit Limits(const std::string& where) : where_(where) {}

  bool start_object(size_t) override { return open(); }
  bool start_array(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    require(keys_.back().insert(key).second, ErrorCode::config, where_, ": the key ", in_quotes(key), " occurs twice");
    return true;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    fail(ErrorCode::config, where_, ": no valid JSON: ", reason(error.what()));
  }

 private:
  // removes the library's tag from "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
  static std::string reason(std::string_view what) {
    if (const size_t tag = what.find("] "); tag != what.npos) what.remove_prefix(tag + 2);
    const std::string text = in_quotes(what, 200);
    return text.substr(1, text.size() - 2);
  }
  bool open() {
    require(keys_.size() < max_json_depth, ErrorCode::config, where_, ": JSON nested deeper than ", max_json_depth,
            " levels");
    keys_.emplace_back();
    return true;
  }
  bool close() {
    keys_.pop_back();
    return true;
  }

  const std::string& where_;
  std::vector<std::set<std::string>> keys_;  // of the objects and lists that are open
};

template <class Json>
Json parse(std::string_view text, const std::string& where, size_t max_bytes) {
  require(text.size() <= max_bytes, ErrorCode::config, where, ": ", text.size(), " bytes of JSON, more than ",
          max_bytes);
  const PointOfC point;
  Limits limits(where);
  json::sax_parse(text.begin(), text.end(), &limits);
  return Json::parse(text.begin(), text.end());
}

locale_t locale_c() {
  static const locale_t locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return locale;
}
}  // namespace

PointOfC::PointOfC() : before_(uselocale(locale_c())) {}
PointOfC::~PointOfC() { uselocale(before_); }

nlohmann::json parse_json(std::string_view text, const std::string& where, size_t max_bytes) {
  return parse<nlohmann::json>(text, where, max_bytes);
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where, size_t max_bytes) {
  return parse<nlohmann::ordered_json>(text, where, max_bytes);
}

}  // namespace statera
