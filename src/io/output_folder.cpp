#include "io/output_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "core/check.hpp"
#include "io/atomic_file.hpp"
#include "io/json.hpp"
#include "io/safetensors.hpp"

namespace statera {

namespace {
namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr const char* list_name = "statera.json";
constexpr const char* lock_name = ".statera.lock";
constexpr const char* list_key = "files_of_statera";

bool contains(const Names& names, const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); }
bool is_there(const std::string& path) {
  struct stat found;
  return ::lstat(path.c_str(), &found) == 0;
}
// "last" of "last/config.json"; empty for "config.json".
std::string folder_in(const std::string& name) {
  const size_t slash = name.find('/');
  return slash == name.npos ? "" : name.substr(0, slash);
}

// The names that FOLDER/statera.json lists; nothing if there is no such file, or if it is no list of ours.
std::optional<Names> listed(const std::string& folder) {
  const std::string path = folder + "/" + list_name;
  struct stat found;
  if (::lstat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode) || found.st_size > static_cast<off_t>(max_config_bytes)) return {};
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  try {
    const nlohmann::json list = parse_json(text, path);
    if (!list.is_object() || !list.contains(list_key)) return {};
    return list.at(list_key).get<Names>();
  } catch (const Error&) {
  } catch (const nlohmann::json::exception&) {
  }
  return {};  // somebody else's file of that name
}

// By what stands in the file, whatever it is called.
bool says_statera(const std::string& path) {
  struct stat found;
  if (::stat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return false;
  std::string head(4096, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(file.gcount()));
  if (head.starts_with("SQLite format 3")) return head.find("CREATE TABLE facts") != head.npos && head.find("CREATE TABLE trials") != head.npos;
  if (!path.ends_with(".safetensors")) return false;
  try {
    const SafetensorsFile tensors = SafetensorsFile::open(path);
    const auto format = tensors.metadata().find("format");
    return format != tensors.metadata().end() && format->second.starts_with("statera");
  } catch (const Error&) {  // damaged, or nothing of the kind
    return false;
  }
}

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}
}  // namespace

OutputFolder::OutputFolder(std::string path, const OutputFiles& files) : OutputFolder() {  // delegates: the destructor tidies up after a throw
  path_ = without_slashes(std::move(path));
  files_ = files;
  require(!path_.empty(), ErrorCode::io, "the name of the folder to write into is empty; give one with --out");
  lock();
  claim();
}

OutputFolder::~OutputFolder() {
  if (lock_ >= 0) {
    tidy();
    ::unlink((path_ + "/" + lock_name).c_str());  // while it is locked: whoever waits for it sees that the name is gone
    ::close(lock_);
  }
  for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) ::rmdir(folder->c_str());  // only if it is empty
}

void OutputFolder::make(const std::string& folder) {
  std::error_code error;
  Names missing;
  for (fs::path at = folder; !at.empty() && !fs::exists(at, error) && !error; at = at.parent_path()) missing.push_back(at.string());
  for (auto at = missing.rbegin(); at != missing.rend() && !error; ++at)
    if (fs::create_directory(*at, error)) made_.push_back(*at);
  if (!error && !fs::is_directory(folder, error)) error = std::make_error_code(std::errc::not_a_directory);
  require(!error, ErrorCode::io, "cannot make the folder ", folder, ": ", error.message(), "; choose another one with --out");
}

void OutputFolder::refuse_second(int file) const {
  char text[256] = "";
  const ssize_t length = ::pread(file, text, sizeof(text) - 1, 0);
  ::close(file);
  const std::string who(text, static_cast<size_t>(std::max<ssize_t>(length, 0)));
  fail(ErrorCode::io, path_, ": ", who.empty() ? "another process" : who,
       " is writing into this folder; wait until it has ended, or choose another folder with --out");
}

void OutputFolder::lock() {
  const std::string name = path_ + "/" + lock_name;
  for (int tries = 0; tries < 1000; ++tries) {  // again if a writer before us took the file or the folder away just now
    make(path_);
    const int file = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (file < 0 && errno == ENOENT) continue;
    require(file >= 0, ErrorCode::io, "cannot write into the folder ", path_, ": ", std::strerror(errno), "; choose another one with --out");
    if (::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) refuse_second(file);
    struct stat opened, named;
    if (::fstat(file, &opened) != 0 || ::stat(name.c_str(), &named) != 0 || opened.st_dev != named.st_dev || opened.st_ino != named.st_ino) {
      ::close(file);
      continue;
    }
    lock_ = file;
    char host[128] = "";
    static_cast<void>(::gethostname(host, sizeof(host) - 1));
    const std::string who = "process " + std::to_string(::getpid()) + " on " + host;
    require(::ftruncate(lock_, 0) == 0 && ::pwrite(lock_, who.data(), who.size(), 0) == static_cast<ssize_t>(who.size()), ErrorCode::io,
            "cannot write into the folder ", path_, ": ", std::strerror(errno), "; free some space, or choose another one with --out");
    return;
  }
  fail(ErrorCode::io, "cannot write into the folder ", path_, ": it is taken away again and again; choose another one with --out");
}

// Sees that nothing of the user's is in the way, and lists the names before any file of ours can be there without being listed.
void OutputFolder::claim() {
  const std::string list = path_ + "/" + list_name;
  const std::optional<Names> before = listed(path_);
  require(before || !is_there(list), ErrorCode::io, list,
          ": is no list of files that statera wrote, and would be replaced; choose another folder with --out");
  Names ours = before.value_or(Names());
  const auto says = [&](const std::string& name) { return says_statera(path_ + "/" + name); };
  const bool known = !before && std::any_of(files_.known_by.begin(), files_.known_by.end(), says);
  for (const std::string& name : files_.names) {
    const std::string path = path_ + "/" + name, between = path_ + "/" + folder_in(name);
    struct stat found;
    if (!folder_in(name).empty() && ::lstat(between.c_str(), &found) == 0)
      require(S_ISDIR(found.st_mode), ErrorCode::io, between, ": is no folder, and one is to be written there; choose another folder with --out");
    if (::lstat(path.c_str(), &found) == 0) {
      require(known || contains(ours, name), ErrorCode::io, path,
              ": was not written by statera, and would be replaced; choose another folder with --out");
      require(name == files_.link ? S_ISLNK(found.st_mode) : S_ISREG(found.st_mode), ErrorCode::io, path, ": is no ",
              name == files_.link ? "symbolic link" : "plain file", ", and would be replaced; choose another folder with --out");
    }
    if (!contains(ours, name)) ours.push_back(name);
  }
  if (before && ours.size() == before->size()) return;
  write_file(list, nlohmann::ordered_json({{"format_version", 1}, {list_key, ours}}).dump(1) + "\n");
}

void OutputFolder::tidy() {
  const std::optional<Names> ours = listed(path_);
  if (!ours || std::any_of(ours->begin(), ours->end(), [&](const std::string& name) { return is_there(path_ + "/" + name); })) return;
  ::unlink((path_ + "/" + list_name).c_str());
}

std::string OutputFolder::at(const std::string& name) {
  if (!folder_in(name).empty()) make(path_ + "/" + folder_in(name));
  return path_ + "/" + name;
}

void OutputFolder::remove(const std::string& name) {
  for (const std::string& path : {path_ + "/" + name, partial_path(path_ + "/" + name)})
    require(::unlink(path.c_str()) == 0 || errno == ENOENT || errno == ENOTDIR, ErrorCode::io, path, ": cannot remove: ", std::strerror(errno));
  if (!folder_in(name).empty()) ::rmdir((path_ + "/" + folder_in(name)).c_str());
}

void OutputFolder::remove(const std::string& path, const OutputFiles& files) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return;
  OutputFolder folder(path, files);
  for (const std::string& name : files.names) folder.remove(name);
  folder.made_.insert(folder.made_.begin(), folder.path_);
}

std::vector<std::string> own_files(const std::string& folder) {
  std::optional<Names> names = listed(folder);
  if (!names) return {};
  names->emplace_back(list_name);
  return *names;
}

void check_named_output(const std::string& path) {
  std::error_code ignored;
  const fs::path real = fs::weakly_canonical(path, ignored);
  if (!fs::exists(real, ignored)) return;
  const fs::path folder = real.parent_path();
  const std::string name = real.filename().string();
  require(!says_statera(real.string()) && !contains(own_files(folder.string()), name) &&
              !contains(own_files(folder.parent_path().string()), folder.filename().string() + "/" + name),
          ErrorCode::io, path, ": is a file of a model or a comparison, and would be replaced; give another name");
}

}  // namespace statera
