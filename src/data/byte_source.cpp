#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "core/check.hpp"
#include "core/inputs.hpp"
#include "core/machine.hpp"
#include "data/unpack.hpp"
#include "io/output_folder.hpp"
#include "io/printable.hpp"
#include "io/written_by.hpp"
#include "statera/data.hpp"

namespace statera {

namespace {

size_t memory_limit() { return static_cast<size_t>(std::min(usable_memory_bytes() / 2, 4e18)); }

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

struct ByteSource::Memory {
  std::vector<ByteBuffer> buffers;
  std::set<std::pair<dev_t, ino_t>> files;
};

struct ByteSource::Reader {
  std::shared_ptr<Memory> memory = std::make_shared<Memory>();
  std::vector<std::span<const uint8_t>> documents;
  std::vector<std::string> left_out;
  size_t left = memory_limit();
  Reading reading;
  double seconds;  // time limit for reading

  explicit Reader(const ReadOptions& options)
      : reading{.often = options.often, .most = static_cast<size_t>(std::max<int64_t>(options.bytes, 0))},
        seconds(options.seconds) {
    constexpr double ever = 1e9;
    if (seconds < ever)
      reading.end = Reading::Clock::now() +
                    std::chrono::duration_cast<Reading::Clock::duration>(std::chrono::duration<double>(seconds));
  }

  void add(ByteBuffer bytes) {
    if (bytes.size() == 0) return;
    left -= std::min(left, bytes.size());
    memory->buffers.push_back(std::move(bytes));
    documents.push_back(memory->buffers.back().bytes());
  }

  void note(int descriptor) {
    note_input(descriptor);
    struct stat info {};
    if (fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode)) memory->files.emplace(info.st_dev, info.st_ino);
  }

  // Whether the time is up for this input.
  bool too_late(const std::string& path) {
    if (reading.cut.empty() && reading.begun && reading.time_is_up()) reading.cut = printable(path);
    return !reading.cut.empty();
  }

  void read(int descriptor, const std::string& path) {
    note(descriptor);
    add(read_bytes(descriptor, path, left, reading));
  }

  void file(const std::string& path) {
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
    read(opened.value, path);
  }

  void any(const std::string& path) {
    const size_t before = documents.size();
    const auto need_bytes = [&](const std::string& of, const char* what_else) {
      require(documents.size() > before || reading.cut.empty(), ErrorCode::io, "[data] nothing came from ", of,
              " in the ", seconds,
              " s that reading may take: does somebody write to it? Give more time (--budget), or a file");
      require(documents.size() > before, ErrorCode::io, "[data] ", of, what_else);
    };
    std::error_code ignored;
    if (before > 0 && too_late(path)) return;
    if (path == "-") {
      read(STDIN_FILENO, "the standard input");
      need_bytes("the standard input", " is empty: pipe some bytes into it");
    } else if (std::filesystem::is_directory(path, ignored)) {
      const Walk walk(path);
      if (walk.hidden > 0)
        left_out.push_back(printable(path) + ": " + std::to_string(walk.hidden) +
                           (walk.hidden == 1 ? " hidden file or folder is" : " hidden files and folders are") +
                           " left out");
      for (const auto& [folder, files] : walk.left_out)
        left_out.push_back(printable(folder) + ": " + std::to_string(files) +
                           (files == 1 ? " file that statera wrote is" : " files that statera wrote are") +
                           " left out");
      if (walk.again > 0)
        left_out.push_back(printable(path) + ": " + std::to_string(walk.again) +
                           (walk.again == 1 ? " other name (a link) of what is read already is"
                                            : " other names (links) of what is read already are") +
                           " left out");
      for (const std::string& name : walk.files) file(name);
      need_bytes(
          "the folder " + printable(path),
          " holds no bytes to read (empty and hidden files, and models of statera, are left out): put files into it or "
          "name another");
    } else {
      file(path);
      need_bytes(printable(path), " is empty: give a file with something in it");
    }
  }
};

void ByteSource::take(Reader&& reader) {
  memory_ = std::move(reader.memory);
  documents_ = std::move(reader.documents);
  cut_ = std::move(reader.reading.cut);
  left_out_ = std::move(reader.left_out);
  for (const auto& document : documents_)
    ends_.push_back((ends_.empty() ? 0 : ends_.back()) + static_cast<int64_t>(document.size()));
}

ByteSource::ByteSource(const std::string& path, const ReadOptions& options)
    : ByteSource(std::span(&path, 1), options) {}

ByteSource::ByteSource(std::span<const std::string> paths, const ReadOptions& options) {
  require(!paths.empty(), ErrorCode::io, "[data] no file given: name a file, a folder, or - for the standard input");
  Reader reader(options);
  for (const std::string& path : paths) reader.any(path);
  take(std::move(reader));
  name_ = printable(paths[0] == "-" ? "the standard input" : paths[0]);
  if (paths.size() > 1) name_ += " and " + std::to_string(paths.size() - 1) + " more";
}

bool ByteSource::reads(const std::string& path) const {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && memory_->files.contains({info.st_dev, info.st_ino});
}

ByteSource ByteSource::from_memory(std::span<const std::string> documents, std::string name) {
  Reader reader({});
  for (const std::string& document : documents) {
    ByteBuffer bytes;
    std::copy(document.begin(), document.end(), bytes.room(document.size()).begin());
    bytes.add(document.size());
    reader.add(std::move(bytes));
  }
  require(!reader.documents.empty(), ErrorCode::io, "[data] ", name, " is empty: give at least one byte");
  ByteSource source;
  source.take(std::move(reader));
  source.name_ = std::move(name);
  return source;
}

int64_t ByteSource::document_at(int64_t position) const {
  return std::upper_bound(ends_.begin(), ends_.end(), position) - ends_.begin();
}

ByteSource ByteSource::part(int64_t begin, int64_t end) const {
  const std::pair range(begin, end);
  return parts(std::span(&range, 1));
}

ByteSource ByteSource::parts(std::span<const std::pair<int64_t, int64_t>> ranges) const {
  require(!ranges.empty(), ErrorCode::config, "[data] no part of ", name_, " given");
  ByteSource result;
  result.memory_ = memory_;
  result.name_ = name_;
  int64_t bytes_so_far = 0;
  for (const auto& [begin, end] : ranges) {
    require(0 <= begin && begin < end && end <= bytes(), ErrorCode::config, "[data] ", name_, " has ", bytes(),
            " bytes: there is no part [", begin, ", ", end, ")");
    for (int64_t i = document_at(begin); i < documents() && document_begin(i) < end; ++i) {
      const int64_t from = std::max(begin, document_begin(i)), to = std::min(end, ends_[static_cast<size_t>(i)]);
      result.documents_.push_back(
          document(i).subspan(static_cast<size_t>(from - document_begin(i)), static_cast<size_t>(to - from)));
      result.ends_.push_back(bytes_so_far += to - from);
    }
  }
  return result;
}

std::pair<ByteSource, ByteSource> ByteSource::split(double held_out) const {
  require(held_out > 0 && held_out < 1, ErrorCode::config, "[data] the held-out fraction is ", held_out,
          ": it must lie between 0 and 1");
  const auto cut = static_cast<int64_t>(std::floor(static_cast<double>(bytes()) * (1 - held_out)));
  require(cut >= 1 && cut < bytes(), ErrorCode::config, "[data] ", name_, " has ", bytes(),
          " bytes, too few to hold out ", 100 * held_out, " % of them: give a longer text");
  std::pair<ByteSource, ByteSource> parts{part(0, cut), part(cut, bytes())};
  parts.first.name_ += " (the part to train on)";
  parts.second.name_ += " (the held-out part)";
  return parts;
}

}  // namespace statera
