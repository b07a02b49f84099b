#include "io/written_by.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>

#include "core/check.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"

namespace statera {

namespace {
constexpr size_t head_bytes = 4096, most_header = size_t{16} << 20;

// How a file of ours begins, and what else stands near its beginning. `name` empty: the file may have any name.
struct Words {
  std::string_view name, begin;
  std::array<std::string_view, 2> words;
};
constexpr Words known_outputs[] = {
    {"", "position\tbyte\tbits\n0\t", {"", ""}},
    {"", "<!DOCTYPE html>", {"<title>", ": segments</title>"}},
    {"", "{\n  \"statera\": \"", {"\"commit\": ", "\"command\": \"statera bench"}},
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

class Head {
 public:
  explicit Head(const std::string& path)
      : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    if (file_ >= 0) head_ = bytes(head_bytes, 0);
  }
  ~Head() {
    if (file_ >= 0) ::close(file_);
  }
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  const std::string& text() const { return head_; }
  bool fits_one(std::span<const Words> of) const {
    const std::string name = std::filesystem::path(path_).filename().string();
    return std::ranges::any_of(of, [&](const Words& words) { return fits(words, name, head_); });
  }
  std::string bytes(size_t most, off_t at) const {
    std::string text(most, '\0');
    const ssize_t got = ::pread(file_, text.data(), text.size(), at);
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return text;
  }

 private:
  const std::string& path_;
  const int file_;
  std::string head_;
};

// Reads no byte of the tensors, so a damaged file of ours is recognised too.
bool is_tensors_of_ours(const std::string& header, const std::string& path) {
  try {
    const nlohmann::json json = parse_json(header, path, most_header);
    const auto metadata = json.find("__metadata__");
    return metadata != json.end() && metadata->is_object() && metadata->value("format", "").starts_with("statera");
  } catch (const Error&) {  // not such a file
  } catch (const nlohmann::json::exception&) {
  }
  return false;
}
}  // namespace

bool says_it_is_ours(const std::string& path) {
  const Head head(path);
  if (head.fits_one(known)) return true;
  uint64_t header = 0;
  if (head.text().size() <= sizeof(header) || head.text()[sizeof(header)] != '{') return false;
  std::memcpy(&header, head.text().data(), sizeof(header));
  return header <= most_header && is_tensors_of_ours(head.bytes(static_cast<size_t>(header), sizeof(header)), path);
}

bool is_named_output(const std::string& path) { return Head(path).fits_one(known_outputs); }

bool is_being_written(const std::string& path) {
  if (!path.ends_with(partial_path("").substr(1))) return false;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return false;
  const bool locked = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return locked;
}

}  // namespace statera
