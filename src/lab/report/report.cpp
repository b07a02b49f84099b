#include "lab/report/report.hpp"

#include <cmath>
#include <filesystem>
#include <set>
#include <span>

#include "core/check.hpp"
#include "core/input_file.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"

namespace statera {

namespace {
using Json = nlohmann::ordered_json;

constexpr int format_version = 1;
constexpr double most = 1e30;  // the largest value allowed

// amount: a number of at least 0; settings: an object of plain values
enum class Kind { text, truth, number, amount, texts, settings, object, objects };

struct Key {
  const char* name;
  Kind kind;
  bool needed;
  std::span<const Key> keys = {};  // keys of the object, or of each object in the list
};

constexpr bool needed = true, optional = false;

constexpr Key machine_keys[] = {{"cpu", Kind::text, needed},
                                {"cores", Kind::amount, needed},
                                {"threads", Kind::amount, needed},
                                {"instruction_set", Kind::text, needed},
                                {"memory_bytes", Kind::amount, needed},
                                {"load", Kind::amount, optional}};
constexpr Key data_keys[] = {{"name", Kind::text, needed},
                             {"bytes", Kind::amount, needed},
                             {"documents", Kind::amount, optional},
                             {"train_bytes", Kind::amount, needed},
                             {"validation_bytes", Kind::amount, needed},
                             {"held_out_bytes", Kind::amount, needed}};
constexpr Key terms_keys[] = {{"equal", Kind::text, needed}, {"not_equal", Kind::text, needed}};
constexpr Key recommendation_keys[] = {
    {"winner", Kind::text, optional}, {"decided_by", Kind::text, needed}, {"sentences", Kind::texts, needed}};
constexpr Key baseline_keys[] = {{"name", Kind::text, needed},
                                 {"bits_per_byte", Kind::amount, needed},
                                 {"learns", Kind::truth, optional},
                                 {"learned", Kind::text, optional}};
constexpr Key choice_keys[] = {{"doubt", Kind::amount, needed}, {"told_apart", Kind::truth, needed}};
constexpr Key rate_keys[] = {
    {"lr", Kind::amount, needed}, {"bits_per_byte", Kind::amount, optional}, {"error", Kind::text, optional}};
constexpr Key seed_keys[] = {{"seed", Kind::amount, needed}, {"bits_per_byte", Kind::amount, needed}};
constexpr Key difference_keys[] = {{"from", Kind::text, needed},
                                   {"bits_per_byte", Kind::number, needed},
                                   {"standard_error", Kind::amount, needed},
                                   {"seed_error", Kind::amount, optional},
                                   {"doubt", Kind::amount, optional}};
constexpr Key curve_keys[] = {{"step", Kind::amount, needed},
                              {"train_bytes", Kind::amount, needed},
                              {"seconds", Kind::amount, needed},
                              {"flops", Kind::amount, needed},
                              {"bits_per_byte", Kind::amount, needed}};
constexpr Key position_keys[] = {{"from", Kind::amount, needed},
                                 {"to", Kind::amount, needed},
                                 {"bits_per_byte", Kind::amount, needed},
                                 {"bytes", Kind::amount, optional}};
constexpr Key recall_keys[] = {
    {"distance", Kind::amount, needed}, {"gain", Kind::number, needed}, {"standard_error", Kind::amount, optional}};
constexpr Key noise_keys[] = {{"growth", Kind::amount, needed},
                              {"bits_per_byte", Kind::amount, needed},
                              {"flops_per_byte", Kind::amount, optional},
                              {"step_seconds_per_byte", Kind::amount, optional}};
constexpr Key speed_keys[] = {{"train_bytes_per_second", Kind::amount, optional},
                              {"prefill_bytes_per_second", Kind::amount, optional},
                              {"step_bytes_per_second", Kind::amount, optional}};
constexpr Key context_keys[] = {
    {"context", Kind::amount, needed}, {"step_seconds", Kind::amount, needed}, {"state_bytes", Kind::amount, needed}};
constexpr Key memory_keys[] = {{"train_bytes", Kind::amount, optional}, {"weight_bytes", Kind::amount, optional}};
constexpr Key candidate_keys[] = {{"name", Kind::text, needed},
                                  {"config", Kind::text, optional},
                                  {"layers", Kind::text, optional},
                                  {"length", Kind::amount, optional},
                                  {"batch", Kind::amount, optional},
                                  {"status", Kind::text, needed},
                                  {"error", Kind::text, optional},
                                  {"parameters", Kind::amount, needed},
                                  {"training_flops_per_byte", Kind::amount, optional},
                                  {"learning_rates", Kind::objects, optional, rate_keys},
                                  {"rate", Kind::object, optional, choice_keys},
                                  {"lr", Kind::amount, optional},
                                  {"steps", Kind::amount, optional},
                                  {"train_bytes", Kind::amount, optional},
                                  {"train_seconds", Kind::amount, optional},
                                  {"train_flops", Kind::amount, optional},
                                  {"seeds", Kind::objects, optional, seed_keys},
                                  {"bits_per_byte", Kind::amount, optional},
                                  {"learning_bits_per_byte", Kind::amount, optional},
                                  {"unfinished", Kind::truth, optional},
                                  {"difference", Kind::object, optional, difference_keys},
                                  {"curve", Kind::objects, optional, curve_keys},
                                  {"by_position", Kind::objects, optional, position_keys},
                                  {"recall", Kind::objects, optional, recall_keys},
                                  {"noise", Kind::objects, optional, noise_keys},
                                  {"speed", Kind::object, optional, speed_keys},
                                  {"judged_at", Kind::object, optional, context_keys},
                                  {"contexts", Kind::objects, optional, context_keys},
                                  {"memory", Kind::object, optional, memory_keys}};
constexpr Key length_keys[] = {{"length", Kind::amount, needed},
                               {"best", Kind::text, needed},
                               {"bits_per_byte", Kind::amount, needed},
                               {"within_doubt", Kind::texts, needed}};
constexpr Key report_keys[] = {{"statera", Kind::text, needed},
                               {"commit", Kind::text, needed},
                               {"command", Kind::text, needed},
                               {"date", Kind::text, needed},
                               {"machine", Kind::object, needed, machine_keys},
                               {"data", Kind::object, needed, data_keys},
                               {"settings", Kind::settings, needed},
                               {"terms", Kind::object, needed, terms_keys},
                               {"complete", Kind::truth, needed},
                               {"recommendation", Kind::object, needed, recommendation_keys},
                               {"baselines", Kind::objects, needed, baseline_keys},
                               {"candidates", Kind::objects, needed, candidate_keys},
                               {"by_length", Kind::objects, optional, length_keys},
                               {"notes", Kind::texts, optional}};

class Checker {
 public:
  explicit Checker(const std::string& where) : where_(where) {}

  void object(const Json& json, std::span<const Key> keys, const std::string& path) const {
    expect(json.is_object(), json, path, "an object");
    for (const Key& key : keys) {
      const std::string place = path.empty() ? key.name : path + "." + key.name;
      const auto at = json.find(key.name);
      if (at == json.end())
        require(!key.needed, ErrorCode::config, where_, ": the key ", place, " is missing");
      else
        value(*at, key, place);
    }
  }

 private:
  void value(const Json& json, const Key& key, const std::string& place) const {
    switch (key.kind) {
      case Kind::text:
        return expect(json.is_string(), json, place, "a string");
      case Kind::truth:
        return expect(json.is_boolean(), json, place, "true or false");
      case Kind::number:
        return expect(is_number(json), json, place, "a number up to 1e30");
      case Kind::amount:
        return expect(is_number(json) && json.get<double>() >= 0, json, place, "a number from 0 to 1e30");
      case Kind::object:
        return object(json, key.keys, place);
      case Kind::settings:
        expect(json.is_object(), json, place, "an object");
        for (const auto& item : json.items())
          expect(item.value().is_primitive(), item.value(), place + "." + item.key(), "a plain value");
        return;
      case Kind::texts:
      case Kind::objects:
        break;
    }
    expect(json.is_array(), json, place, "a list");
    for (size_t i = 0; i < json.size(); ++i) {
      const std::string at = place + "[" + std::to_string(i) + "]";
      if (key.kind == Kind::objects)
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
  for (const Json& candidate : report.at("candidates")) {
    const auto& name = candidate.at("name").get_ref<const std::string&>();
    require(!name.empty(), ErrorCode::config, where, ": a candidate's name is empty");
    require(names.insert(name).second, ErrorCode::config, where, ": the candidate ", in_quotes(name), " occurs twice");
  }
  const Json& recommendation = report.at("recommendation");
  if (const auto winner = recommendation.find("winner"); winner != recommendation.end())
    require(names.contains(winner->get<std::string>()), ErrorCode::config, where, ": recommendation.winner ",
            in_quotes(winner->get<std::string>()), " is none of the candidates");
}
}  // namespace

Json parse_report(std::string_view text, const std::string& where) {
  Json report = parse_ordered_json(text, where, max_report_bytes);
  require(report.is_object(), ErrorCode::config, where, ": expected a JSON object, got ", report.type_name());
  const auto version = report.find("format_version");
  require(version != report.end(), ErrorCode::config, where,
          ": the key format_version is missing; is this a report of statera compare?");
  require(version->is_number_integer() && *version == format_version, ErrorCode::config, where, ": format_version ",
          version->is_primitive() ? in_quotes(version->dump(), 20) : std::string(version->type_name()),
          ", this program reads ", format_version,
          "; make the page with the program that wrote the report, or compare again");
  Checker(where).object(report, report_keys, "");
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
