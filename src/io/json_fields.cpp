#include "io/json_fields.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/check.hpp"
#include "core/inputs.hpp"
#include "io/json.hpp"
#include "io/printable.hpp"

namespace statera {

namespace {
using nlohmann::json;
using nlohmann::ordered_json;

class Reader : public FieldVisitor {
 public:
  Reader(const json& object, const std::string& where) : object_(object), where_(where) {}

  void field(const char* name, int64_t& value, const char*) override {
    const json* j = find(name);
    if (!j) return;
    constexpr double exact = 9007199254740992;  // 2^53; below it 1e6 is an integer too
    if (j->is_number_unsigned() && j->get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
      value = j->get<int64_t>();
    else if (j->is_number_integer() && !j->is_number_unsigned())
      value = j->get<int64_t>();
    else if (j->is_number_float() && std::abs(j->get<double>()) <= exact &&
             std::trunc(j->get<double>()) == j->get<double>())
      value = static_cast<int64_t>(j->get<double>());
    else
      wrong(name, "a whole number of 64 bits", *j);
  }

  void field(const char* name, double& value, const char*) override {
    if (const json* j = find(name)) value = number(name, *j, std::numeric_limits<double>::max());
  }

  void field(const char* name, float& value, const char*) override {
    if (const json* j = find(name))
      value = static_cast<float>(number(name, *j, static_cast<double>(std::numeric_limits<float>::max())));
  }

  void field(const char* name, bool& value, const char*) override {
    const json* j = find(name);
    if (!j) return;
    if (!j->is_boolean()) wrong(name, "true or false", *j);
    value = j->get<bool>();
  }

  void field(const char* name, std::string& value, const char*) override {
    const json* j = find(name);
    if (!j) return;
    if (!j->is_string()) wrong(name, "a string", *j);
    value = j->get<std::string>();
  }

  void refuse_unknown(std::initializer_list<std::string_view> ignored) const {
    for (const auto& item : object_.items()) {
      const std::string& key = item.key();
      const auto is_key = [&](std::string_view known) { return known == key; };
      if (std::any_of(known_.begin(), known_.end(), is_key) || std::any_of(ignored.begin(), ignored.end(), is_key))
        continue;
      fail(ErrorCode::config, where_, ": unknown key ", in_quotes(key), did_you_mean(key, known_));
    }
  }

 private:
  const json* find(const char* name) {
    known_.push_back(name);
    const auto it = object_.find(name);
    return it == object_.end() ? nullptr : &*it;
  }

  [[noreturn]] void wrong(const char* name, const char* expected, const json& got) const {
    std::string text = got.is_object()   ? "an object"
                       : got.is_array()  ? "an array"
                       : got.is_string() ? in_quotes(got.get_ref<const std::string&>())
                                         : got.dump();
    fail(ErrorCode::config, where_, ": key '", name, "' expected ", expected, ", got ", text);
  }

  double number(const char* name, const json& j, double most) const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (j.is_string() && j.get_ref<const std::string&>() == "inf") return infinity;
    if (j.is_string() && j.get_ref<const std::string&>() == "-inf") return -infinity;
    if (!j.is_number() || !(std::abs(j.get<double>()) <= most)) wrong(name, "a finite number (or \"inf\")", j);
    return j.get<double>();
  }

  const json& object_;
  const std::string& where_;
  std::vector<std::string_view> known_;
};

class Writer : public FieldVisitor {
 public:
  ordered_json object = ordered_json::object();

  void field(const char* name, int64_t& value, const char*) override { object[name] = value; }
  void field(const char* name, double& value, const char*) override { number(name, value, value); }
  void field(const char* name, float& value, const char*) override {
    double shortest = static_cast<double>(value);  // writes 0.1 instead of 0.10000000149011612
    char text[32];
    if (std::isfinite(value)) std::from_chars(text, std::to_chars(text, text + sizeof(text), value).ptr, shortest);
    number(name, static_cast<double>(value), shortest);
  }
  void field(const char* name, bool& value, const char*) override { object[name] = value; }
  void field(const char* name, std::string& value, const char*) override { object[name] = value; }

 private:
  void number(const char* name, double value, double written) {
    require(!std::isnan(value), ErrorCode::config, "[config] '", name, "' is not a number");
    if (std::isinf(value))
      object[name] = value > 0 ? "inf" : "-inf";
    else
      object[name] = written;
  }
};

ordered_json to_json(VisitFields visit) {
  Writer writer;
  visit(writer);
  return std::move(writer.object);
}
}  // namespace

JsonText read_json_file(const std::string& path, double seconds) {
  // the wait for the pipe's writer comes below
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  require(file >= 0, ErrorCode::io, path, ": cannot open: ", std::strerror(errno));
  note_input(file);
  std::string text(max_config_bytes + 1, '\0');
  size_t size = 0;
  ssize_t got = 1;
  int error = 0, ready = 1;
  while (size < text.size() && got > 0) {
    pollfd input{file, POLLIN, 0};
    while ((ready = ::poll(&input, 1, static_cast<int>(1000 * seconds))) < 0 && errno == EINTR) {
    }
    if (ready <= 0) break;
    got = ::read(file, text.data() + size, text.size() - size);
    error = errno;
    if (got > 0)
      size += static_cast<size_t>(got);
    else if (got < 0 && (error == EINTR || error == EAGAIN))
      got = 1;
  }
  ::close(file);
  require(ready != 0, ErrorCode::io, path, ": nothing came from this pipe for ", seconds,
          " s: does somebody write to it? Give a file");
  require(got >= 0, ErrorCode::io, path, ": cannot read: ", std::strerror(error));
  require(size > 0, ErrorCode::io, path, ": the file is empty; expected a JSON object");
  require(size <= max_config_bytes, ErrorCode::io, path, ": more than ", max_config_bytes,
          " bytes, too large for a config");
  text.resize(size);
  return {std::move(text), path};
}

void read_fields_erased(const JsonText& text, VisitFields visit, std::initializer_list<std::string_view> ignored) {
  const json object = parse_json(text.text, text.where);
  require(object.is_object(), ErrorCode::config, text.where, ": expected a JSON object, got ", object.type_name());
  Reader reader(object, text.where);
  visit(reader);
  reader.refuse_unknown(ignored);
}

std::string write_fields_erased(VisitFields visit,
                                std::initializer_list<std::pair<std::string_view, std::string_view>> before) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : before) object[std::string(name)] = value;
  const ordered_json fields = to_json(visit);
  for (const auto& item : fields.items()) object[item.key()] = item.value();
  return json_text(object);
}

std::vector<std::string> differing_fields_erased(VisitFields a, VisitFields b) {
  const ordered_json one = to_json(a), other = to_json(b);
  std::vector<std::string> lines;
  for (const auto& item : one.items())
    if (item.value() != other.at(item.key()))
      lines.push_back(item.key() + ": " + json_text(item.value()) + " and " + json_text(other.at(item.key())));
  return lines;
}

}  // namespace statera
