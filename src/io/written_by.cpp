#include "io/written_by.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "core/check.hpp"
#include "io/json.hpp"

namespace statera {

namespace {
constexpr size_t head_bytes = 4096, most_header = size_t{16} << 20;

// How a file of ours begins, and what else stands near its beginning. `name` empty: whatever it is called.
struct Words {
  std::string_view name, begin;
  std::array<std::string_view, 2> words;
};
constexpr Words known[] = {
    {"", "SQLite format 3", {"CREATE TABLE facts", "CREATE TABLE trials"}},
    {"config.json", "{", {"\"format_version\": ", "\"d_model\": "}},
    {"metrics.jsonl", "{\"step\": ", {"\"bits_per_byte\": ", "\"gradient_norm\": "}},
    {"report.json", "{", {"\"format_version\": ", "\"statera\": "}},
    {"report.html", "<!DOCTYPE html>", {"<title>", ": which model fits</title>"}},
    {"compare.log", "2", {"  calibrating ", " in turn\n"}},
    {"statera.json", "{", {"\"format_version\": ", "\"files_of_statera\": "}},
};

bool fits(const Words& of, std::string_view name, std::string_view head) {
  return (of.name.empty() || of.name == name) && head.starts_with(of.begin) &&
         std::ranges::all_of(of.words, [&](std::string_view word) { return head.find(word) != head.npos; });
}

// Not one byte of the tensors is read, so a damaged file of ours is ours too.
bool is_tensors_of_ours(const std::string& header, const std::string& path) {
  try {
    const nlohmann::json json = parse_json(header, path, most_header);
    const auto metadata = json.find("__metadata__");
    return metadata != json.end() && metadata->is_object() && metadata->value("format", "").starts_with("statera");
  } catch (const Error&) {  // nothing of the kind
  } catch (const nlohmann::json::exception&) {
  }
  return false;
}
}  // namespace

bool says_it_is_ours(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return false;
  const auto bytes = [file](size_t most, off_t at) {
    std::string text(most, '\0');
    const ssize_t got = ::pread(file, text.data(), text.size(), at);
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return text;
  };
  const std::string head = bytes(head_bytes, 0), name = std::filesystem::path(path).filename().string();
  uint64_t header = 0;
  bool ours = std::ranges::any_of(known, [&](const Words& of) { return fits(of, name, head); });
  if (!ours && head.size() > sizeof(header) && head[sizeof(header)] == '{') {
    std::memcpy(&header, head.data(), sizeof(header));
    ours = header <= most_header && is_tensors_of_ours(bytes(static_cast<size_t>(header), sizeof(header)), path);
  }
  ::close(file);
  return ours;
}

}  // namespace statera
