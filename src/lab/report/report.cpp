#include "lab/report/report.hpp"

#include <cmath>
#include <filesystem>
#include <set>
#include <span>

#include "core/check.hpp"
#include "core/input_file.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"
#include "lab/report/keys.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

constexpr int format_version = 1;
constexpr double most = 1e30;  // the largest value allowed

class Checker {
 public:
  explicit Checker(const std::string& where) : where_(where) {}

  void object(const Json& json, std::span<const ReportKey> keys, const std::string& path) const {
    expect(json.is_object(), json, path, "an object");
    for (const ReportKey& key : keys) {
      const std::string place = path.empty() ? key.name : path + "." + key.name;
      const auto at = json.find(key.name);
      if (at == json.end())
        require(!key.needed, ErrorCode::config, where_, ": the key ", place, " is missing");
      else
        value(*at, key, place);
    }
  }

 private:
  void value(const Json& json, const ReportKey& key, const std::string& place) const {
    switch (key.kind) {
      case KeyKind::text:
        return expect(json.is_string(), json, place, "a string");
      case KeyKind::truth:
        return expect(json.is_boolean(), json, place, "true or false");
      case KeyKind::number:
        return expect(is_number(json), json, place, "a number up to 1e30");
      case KeyKind::amount:
        return expect(is_number(json) && json.get<double>() >= 0, json, place, "a number from 0 to 1e30");
      case KeyKind::object:
        return object(json, key.keys, place);
      case KeyKind::settings:
        expect(json.is_object(), json, place, "an object");
        for (const auto& item : json.items())
          expect(item.value().is_primitive(), item.value(), place + "." + item.key(), "a plain value");
        return;
      case KeyKind::texts:
      case KeyKind::objects:
        break;
    }
    expect(json.is_array(), json, place, "a list");
    for (size_t i = 0; i < json.size(); ++i) {
      const std::string at = place + "[" + std::to_string(i) + "]";
      if (key.kind == KeyKind::objects)
        object(json[i], key.keys, at);
      else
        expect(json[i].is_string(), json[i], at, "a string");
    }
  }
  static bool is_number(const Json& json) { return json.is_number() && std::abs(json.get<double>()) <= most; }
  void expect(bool good, const Json& got, const std::string& place, const char* expected) const {
    require(good, ErrorCode::config, where_, ": ", place, ": expected ", expected, ", got ",
            got.is_number() ? got.dump() : std::string(got.type_name()));
  }

  const std::string& where_;
};

void check_names(const Json& report, const std::string& where) {
  std::set<std::string> names;
  for (const Json& candidate : report.at(key::candidates)) {
    const auto& name = candidate.at(key::name).get_ref<const std::string&>();
    require(!name.empty(), ErrorCode::config, where, ": a candidate's name is empty");
    require(names.insert(name).second, ErrorCode::config, where, ": the candidate ", in_quotes(name), " occurs twice");
  }
  const Json& recommendation = report.at(key::recommendation);
  if (const auto winner = recommendation.find(key::winner); winner != recommendation.end())
    require(names.contains(winner->get<std::string>()), ErrorCode::config, where, ": recommendation.winner ",
            in_quotes(winner->get<std::string>()), " is none of the candidates");
}
}  // namespace

Json parse_report(std::string_view text, const std::string& where) {
  Json report = parse_ordered_json(text, where, max_report_bytes);
  require(report.is_object(), ErrorCode::config, where, ": expected a JSON object, got ", report.type_name());
  const auto version = report.find(key::format_version);
  require(version != report.end(), ErrorCode::config, where,
          ": the key format_version is missing; is this a report of statera compare?");
  require(version->is_number_integer() && *version == format_version, ErrorCode::config, where, ": format_version ",
          version->is_primitive() ? in_quotes(version->dump(), 20) : std::string(version->type_name()),
          ", this program reads ", format_version,
          "; make the page with the program that wrote the report, or compare again");
  Checker(where).object(report, report_keys(), "");
  check_names(report, where);
  return report;
}

Json read_report(const std::string& folder) {
  const std::string path = folder + "/report.json";
  require(std::filesystem::is_directory(folder), ErrorCode::io, folder,
          ": no folder; expected what statera compare wrote with --out");
  require(std::filesystem::exists(path), ErrorCode::io, path, ": no such file; statera compare FILE --out ", folder,
          " writes it");
  return parse_report(InputFile::open(path).text(max_report_bytes), path);
}

}  // namespace statera
