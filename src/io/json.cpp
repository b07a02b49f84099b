#include "io/json.hpp"

#include <set>
#include <vector>

#include "core/check.hpp"
#include "io/printable.hpp"

namespace statera {

namespace {
// The parser calls this at every step, so that it stops at the limit: it never builds what it will refuse.
template <class Json>
class Limits {
 public:
  explicit Limits(const std::string& where) : where_(where) {}

  bool operator()(int, typename Json::parse_event_t event, Json& parsed) {
    using Event = typename Json::parse_event_t;
    switch (event) {
      case Event::object_start: case Event::array_start:
        require(keys_.size() < max_json_depth, ErrorCode::config, where_, ": JSON nested deeper than ", max_json_depth, " levels");
        keys_.emplace_back();
        break;
      case Event::object_end: case Event::array_end: keys_.pop_back(); break;
      case Event::key: {
        const auto& key = parsed.template get_ref<const std::string&>();
        require(keys_.back().insert(key).second, ErrorCode::config, where_, ": the key ", in_quotes(key), " stands there twice");
        break;
      }
      case Event::value: break;
    }
    return true;
  }

 private:
  const std::string& where_;
  std::vector<std::set<std::string>> keys_;  // of the objects that are open
};

// "[json.exception.parse_error.101] parse error at line 1, column 2: ..." without the library's tag
std::string reason(const std::string& what) {
  const size_t tag = what.find("] ");
  const std::string text = in_quotes(std::string_view(what).substr(tag == std::string::npos ? 0 : tag + 2));
  return text.substr(1, text.size() - 2);
}

template <class Json>
Json parse(std::string_view text, const std::string& where, size_t max_bytes) {
  require(text.size() <= max_bytes, ErrorCode::config, where, ": ", text.size(), " bytes of JSON, more than ", max_bytes);
  try {
    return Json::parse(text.begin(), text.end(), Limits<Json>(where));
  } catch (const typename Json::exception& error) {
    fail(ErrorCode::config, where, ": no valid JSON: ", reason(error.what()));
  }
}
}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where, size_t max_bytes) {
  return parse<nlohmann::json>(text, where, max_bytes);
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& where, size_t max_bytes) {
  return parse<nlohmann::ordered_json>(text, where, max_bytes);
}

}  // namespace statera
