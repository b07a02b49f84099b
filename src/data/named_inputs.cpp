#include "data/named_inputs.hpp"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/check.hpp"
#include "core/inputs.hpp"
#include "io/output_folder.hpp"
#include "io/printable.hpp"
#include "io/written_by.hpp"

namespace statera {

namespace {

// The files below a folder. Links are followed after everything that is not a link, and a file with several names is
// read once, since a link may lead back to a folder that was visited. Files that statera wrote are left out: a list
// names them, or their contents say so.
class Walk {
 public:
  explicit Walk(const std::string& folder) {
    enter(folder);
    while (!links_.empty()) follow(links_.extract(links_.begin()).value());
    std::sort(files.begin(), files.end());
  }
  std::vector<std::string> files;
  int64_t hidden = 0;  // hidden files and folders; not what is inside such a folder
  int64_t again = 0;   // further names (links of either kind) of files that are read already
  // number of files, by the folder of their list, or by the one that they are in
  std::map<std::string, int64_t> left_out;

 private:
  using Identity = std::pair<dev_t, ino_t>;

  static Identity identity(const std::string& path) {
    struct stat info {};
    const bool found = stat(path.c_str(), &info) == 0;
    const int error = errno;
    require(found, ErrorCode::io, "[data] cannot read ", printable(path), ": ", strerror(error),
            error == ENOENT || error == ELOOP ? " (a link that leads nowhere? fix it or remove it)"
                                              : " (may this user read it?)");
    return {info.st_dev, info.st_ino};
  }

  void enter(const std::string& folder) {
    namespace fs = std::filesystem;
    if (!seen_.insert(identity(folder)).second) {
      ++again;
      return;
    }
    for (const std::string& name : own_files(folder)) written_.emplace((fs::path(folder) / name).string(), folder);
    std::error_code error, ignored;
    // in the order of names, so that of several names of one file the first is read
    std::set<fs::directory_entry> entries;
    for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator(); it.increment(error))
      entries.insert(*it);
    for (const fs::directory_entry& entry : entries) {
      const std::string path = entry.path().string();
      if (entry.path().filename().string().starts_with('.')) {
        if (!written_.contains(path) && !is_being_written(path)) ++hidden;
        continue;
      }
      if (const auto list = written_.find(path); list != written_.end()) {
        if (!entry.is_regular_file(ignored)) continue;
        seen_.insert(identity(path));  // so that it is not read under the name of a link either
        ++left_out[list->second];
      } else if (entry.is_symlink(error))
        links_.insert(path);
      else if (entry.is_directory(error))
        enter(path);
      else
        add(path);
      if (error) break;
    }
    require(!error, ErrorCode::io, "[data] cannot read the folder ", printable(folder), ": ", error.message());
  }

  void follow(const std::string& link) {
    std::error_code ignored;
    if (std::filesystem::is_directory(link, ignored))
      enter(link);
    else
      add(link);
  }

  void add(const std::string& path) {
    const Identity found = identity(path);
    check_kind(path);
    if (!seen_.insert(found).second)
      ++again;
    else if (says_it_is_ours(path) || is_named_output(path))
      ++left_out[std::filesystem::path(path).parent_path().string()];
    else
      files.push_back(path);
  }

  // A pipe in a folder would be waited for, and a device has no end.
  static void check_kind(const std::string& path) {
    std::error_code ignored;
    require(std::filesystem::is_regular_file(path, ignored), ErrorCode::io, "[data] ", printable(path),
            ": is a pipe, a socket or a device in a folder of files; "
            "move it elsewhere, or name the files of that folder one by one");
  }

  std::set<Identity> seen_;
  std::set<std::string> links_;
  // files that statera wrote, in the folders visited so far -> the folder of the list that names them
  std::map<std::string, std::string> written_;
};

}  // namespace

NamedInputs::NamedInputs(const ReadOptions& options, Read read)
    : reading_{.often = options.often, .most = static_cast<size_t>(std::max<int64_t>(options.bytes, 0))},
      seconds_(options.seconds),
      read_(std::move(read)) {
  constexpr double ever = 1e9;
  if (seconds_ < ever)
    reading_.end = Reading::Clock::now() +
                   std::chrono::duration_cast<Reading::Clock::duration>(std::chrono::duration<double>(seconds_));
}

// Whether the time is up for this input.
bool NamedInputs::too_late(const std::string& path) {
  if (reading_.cut.empty() && reading_.begun && reading_.time_is_up()) reading_.cut = printable(path);
  return !reading_.cut.empty();
}

void NamedInputs::open_input(int descriptor, const std::string& path) {
  note_input(descriptor);
  struct stat info {};
  if (fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode)) files_.emplace(info.st_dev, info.st_ino);
  if (read_(descriptor, path, reading_) > 0) ++documents_;
}

void NamedInputs::file(const std::string& path) {
  if (too_late(path)) return;
  struct Descriptor {
    int value;
    ~Descriptor() {
      if (value >= 0) close(value);
    }
    // O_NONBLOCK: opening a pipe must not wait for its writer
  } opened{open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  const int error = errno;
  require(opened.value >= 0, ErrorCode::io, "[data] cannot read ", printable(path), ": ", strerror(error),
          error == ENOENT ? " (is the path right, seen from the working directory?)" : " (may this user read it?)");
  open_input(opened.value, path);
}

void NamedInputs::folder(const std::string& path) {
  const Walk walk(path);
  if (walk.hidden > 0)
    left_out_.push_back(printable(path) + ": " + std::to_string(walk.hidden) +
                        (walk.hidden == 1 ? " hidden file or folder is" : " hidden files and folders are") +
                        " left out");
  for (const auto& [folder, files] : walk.left_out)
    left_out_.push_back(printable(folder) + ": " + std::to_string(files) +
                        (files == 1 ? " file that statera wrote is" : " files that statera wrote are") + " left out");
  if (walk.again > 0)
    left_out_.push_back(printable(path) + ": " + std::to_string(walk.again) +
                        (walk.again == 1 ? " other name (a link) of what is read already is"
                                         : " other names (links) of what is read already are") +
                        " left out");
  for (const std::string& name : walk.files) file(name);
}

void NamedInputs::read(const std::string& path) {
  const int64_t before = documents_;
  const auto need_bytes = [&](const std::string& of, const char* what_else) {
    require(documents_ > before || reading_.cut.empty(), ErrorCode::io, "[data] nothing came from ", of, " in the ",
            seconds_, " s that reading may take: does somebody write to it? Give more time (--budget), or a file");
    require(documents_ > before, ErrorCode::io, "[data] ", of, what_else);
  };
  std::error_code ignored;
  if (before > 0 && too_late(path)) return;
  if (path == "-") {
    open_input(STDIN_FILENO, "the standard input");
    need_bytes("the standard input", " is empty: pipe some bytes into it");
  } else if (std::filesystem::is_directory(path, ignored)) {
    folder(path);
    need_bytes(
        "the folder " + printable(path),
        " holds no bytes to read (empty and hidden files, and models of statera, are left out): put files into it or "
        "name another");
  } else {
    file(path);
    need_bytes(printable(path), " is empty: give a file with something in it");
  }
}

}  // namespace statera
