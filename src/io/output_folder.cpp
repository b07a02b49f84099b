#include "io/output_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>

#include "core/check.hpp"
#include "io/json.hpp"
#include "io/safetensors.hpp"
#include "io/written_by.hpp"

namespace statera {

namespace {
namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr const char* list_name = "statera.json";
constexpr const char* lock_name = ".statera.lock";
constexpr const char* list_key = "files_of_statera";

bool contains(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
// "last" of "last/config.json"; empty for "config.json".
std::string folder_in(const std::string& name) {
  const size_t slash = name.find('/');
  return slash == name.npos ? "" : name.substr(0, slash);
}

constexpr int list_version = 1;

std::string list_text(const Names& names) {
  return nlohmann::ordered_json({{"format_version", list_version}, {list_key, names}}).dump(1) + "\n";
}

// The text of FOLDER/statera.json; empty if there is no such file. Throws ErrorCode::io if this user may not read it,
// since it says which files are whose.
std::optional<std::string> list_in(const std::string& path) {
  struct stat found;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  const int error = errno;
  require(file >= 0 || ::lstat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode), ErrorCode::io, path,
          ": cannot read: ", std::strerror(error),
          "; it lists the files that statera wrote, and the others are the user's: make it readable");
  if (file < 0) return {};
  std::string text;
  if (::fstat(file, &found) == 0 && S_ISREG(found.st_mode) && found.st_size <= static_cast<off_t>(max_config_bytes)) {
    text.resize(static_cast<size_t>(found.st_size));
    const ssize_t got = ::pread(file, text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  }
  ::close(file);
  return text;
}

// The names that FOLDER/statera.json lists; empty if there is no such file or it is not one of our lists. Throws
// ErrorCode::io if it cannot be read or is of a newer version, which may say more.
std::optional<Names> listed(const std::string& folder) {
  const std::string path = folder + "/" + list_name;
  const std::optional<std::string> text = list_in(path);
  if (!text) return {};
  int64_t version = list_version;
  Names names;
  try {
    const nlohmann::json list = parse_json(*text, path);
    if (!list.is_object() || !list.contains(list_key)) return {};
    version = list.at("format_version").get<int64_t>();
    if (version <= list_version) names = list.at(list_key).get<Names>();
  } catch (const Error&) {  // somebody else's file with that name
    return {};
  } catch (const nlohmann::json::exception&) {
    return {};
  }
  require(version <= list_version, ErrorCode::io, path, ": format_version ", version, ", this program reads ",
          list_version, "; it lists the files that a newer statera wrote: take that one, or another folder");
  return names;
}

// The contents of a lock file: "process 12 on host", and on a second line the mark of that process's partial files.
struct Signature {
  std::string who, mark;
};

std::string this_process() {
  char host[128] = "";
  static_cast<void>(::gethostname(host, sizeof(host) - 1));
  return "process " + std::to_string(::getpid()) + " on " + host;
}

// Reads a lock file of ours. The members are empty if the writer was killed before it could sign. Nothing if the file
// is not ours.
std::optional<Signature> signature(int file) {
  char text[512];
  const ssize_t length = ::pread(file, text, sizeof(text), 0);
  if (length < 0 || length == sizeof(text)) return {};
  const std::string all(text, static_cast<size_t>(length));
  if (all.empty()) return Signature{};
  if (!all.starts_with("process ")) return {};
  const size_t end = std::min(all.find('\n'), all.size());
  std::string mark = all.substr(std::min(end + 1, all.size()));
  if (mark.ends_with('\n')) mark.pop_back();
  if (mark.find_first_not_of("0123456789abcdef") != mark.npos) return {};
  return Signature{all.substr(0, end), mark};
}

// The marks of the folders that this process holds. Process number and host name do not distinguish it from a process
// in another container; a forked child has its parent's marks but another number.
class Marks {
 public:
  void add(const std::string& mark) {
    const std::lock_guard lock(lock_);
    marks_.emplace(::getpid(), mark);
  }
  void remove(const std::string& mark) {
    const std::lock_guard lock(lock_);
    marks_.erase({::getpid(), mark});
  }
  bool contains(const std::string& mark) {
    const std::lock_guard lock(lock_);
    return marks_.contains({::getpid(), mark});
  }

 private:
  std::mutex lock_;
  std::set<std::pair<pid_t, std::string>> marks_;
};

Marks& held_marks() {
  static Marks marks;
  return marks;
}

// Whether an object of this process holds the folder.
bool held_here(const std::string& folder) {
  const int file = ::open((folder + "/" + lock_name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return false;
  const auto found = signature(file);
  const bool held = found && held_marks().contains(found->mark) && ::flock(file, LOCK_SH | LOCK_NB) != 0;
  ::close(file);
  return held;
}

// A list covers everything below its folder, so nobody else may write there.
void refuse_inside_of_another(const std::string& path) {
  std::error_code ignored;
  fs::path at = fs::weakly_canonical(fs::absolute(path, ignored), ignored);
  for (fs::path above = at.parent_path(); above != at; at = above, above = at.parent_path()) {
    const std::string below = at.filename().string();
    const Names names = listed(above.string()).value_or(Names());
    const bool folders = std::ranges::any_of(names, [](const std::string& name) { return name.ends_with('/'); });
    for (const std::string& name : names)
      require((folder_in(name) != below && name != below) || (name == below + "/" && held_here(above.string())),
              ErrorCode::io, path, ": belongs to the ", folders ? "comparison" : "model", " in ", above.string(),
              ", which writes ", name, " there; choose another folder with --out");
  }
}

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}
}  // namespace

// delegates to another constructor, so that the destructor runs if this one throws
OutputFolder::OutputFolder(std::string path, const OutputFiles& files, Earlier earlier) : OutputFolder() {
  path_ = without_slashes(std::move(path));
  files_ = files;
  require(!path_.empty(), ErrorCode::io, "the name of the folder to write into is empty; give one with --out");
  refuse_inside_of_another(path_);
  lock();
  refuse_to_replace(earlier);  // under the lock, so that what another writer finishes meanwhile counts too
  claim();
}

OutputFolder::~OutputFolder() {
  held_marks().remove(mark_);
  const bool there = in_place();
  if (lock_ >= 0 && lock_is_ours()) {
    tidy();
    ::unlinkat(folder_, lock_name, 0);  // while it is locked, so that whoever waits for it sees that the name is gone
  }
  if (lock_ >= 0) ::close(lock_);
  // works only if it is empty
  for (const std::string& folder : made_below_) ::unlinkat(folder_, folder.c_str(), AT_REMOVEDIR);
  if (folder_ >= 0) ::close(folder_);
  if (there)
    for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) ::rmdir(folder->c_str());
}

void OutputFolder::make(const std::string& folder) {
  std::error_code error, ignored;
  Names missing;
  for (fs::path at = folder; !at.empty() && !fs::exists(at, error) && !error; at = at.parent_path())
    missing.push_back(at.string());
  for (const std::string& at : missing)
    require(!fs::is_symlink(fs::symlink_status(at, ignored)), ErrorCode::io, at,
            ": is a link that leads nowhere; make the folder that it names, or choose another one with --out");
  for (auto at = missing.rbegin(); at != missing.rend() && !error; ++at)
    if (fs::create_directory(*at, error)) {
      made_.push_back(*at);
      const std::string above = fs::path(*at).parent_path().string();
      const int parent = ::open(above.empty() ? "." : above.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
      if (parent < 0) continue;
      sync_folder(parent);
      ::close(parent);
    }
  if (!error && !fs::is_directory(folder, error)) error = std::make_error_code(std::errc::not_a_directory);
  require(!error, ErrorCode::io, "cannot make the folder ", folder, ": ", error.message(),
          "; choose another one with --out");
}

void OutputFolder::refuse_second(const std::string& who) const {
  fail(ErrorCode::io, path_, ": ", who.empty() ? "another process" : who,
       " is writing into this folder; wait until it has ended, or choose another folder with --out");
}

void OutputFolder::lock() {
  // try again if an earlier writer has just removed the file or the folder
  for (int tries = 0; tries < 1000; ++tries) {
    make(path_);
    if (folder_ >= 0) ::close(folder_);
    folder_ = above_standard(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const int file = folder_ < 0
                         ? -1
                         : above_standard(::openat(folder_, lock_name,
                                                   O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666));
    const int error = errno;
    if (file < 0 && error == ENOENT) continue;
    if (file >= 0 && !take(file)) continue;
    if (file >= 0) return sign();
    struct stat found;
    require(
        folder_ < 0 || ::fstatat(folder_, lock_name, &found, AT_SYMLINK_NOFOLLOW) != 0 || S_ISREG(found.st_mode),
        ErrorCode::io, path_, "/", lock_name,
        ": is not a plain file, and the lock of the folder must stand there; move it away, or choose another folder "
        "with --out");
    fail(ErrorCode::io, "cannot write into the folder ", path_, ": ", std::strerror(error),
         "; choose another one with --out");
  }
  fail(ErrorCode::io, "cannot write into the folder ", path_,
       ": it is taken away again and again; choose another one with --out");
}

// Whether this object has the lock now. If not, the lock file is gone and there may be a new one. Changes nothing in a
// file that no writer of ours made.
bool OutputFolder::take(int file) {
  struct Closed {
    int file;
    ~Closed() {
      if (file >= 0) ::close(file);
    }
  } closed{file};
  struct stat opened, named;
  require(::fstat(file, &opened) == 0 && S_ISREG(opened.st_mode) && opened.st_nlink <= 1, ErrorCode::io, path_, "/",
          lock_name,
          ": is not a lock file of statera (it is not a plain file, or has another name too); move it away, or choose "
          "another folder with --out");
  const bool locked = ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  const auto before = signature(file);
  if (locked) refuse_second(before ? before->who : "");
  if (::fstatat(folder_, lock_name, &named, AT_SYMLINK_NOFOLLOW) != 0 || !same_file(opened, named)) return false;
  require(before.has_value(), ErrorCode::io, path_, "/", lock_name,
          ": is not a lock file of statera (by its contents); move it away, or choose another folder with --out");
  mark_before_ = before->mark;
  lock_ = std::exchange(closed.file, -1);
  return true;
}

void OutputFolder::sign() {
  char mark[40];
  struct timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::snprintf(mark, sizeof(mark), "%llx%08lx%x", static_cast<unsigned long long>(now.tv_sec), now.tv_nsec,
                static_cast<unsigned>(::getpid()));
  mark_ = mark;
  held_marks().add(mark_);
  const std::string text = this_process() + "\n" + mark_ + "\n";
  errno = 0;
  const bool written =
      ::ftruncate(lock_, 0) == 0 && ::pwrite(lock_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  require(written, ErrorCode::io, "cannot write into the folder ", path_, ": ",
          std::strerror(errno != 0 ? errno : ENOSPC), "; free some space, or choose another one with --out");
}

bool OutputFolder::is_there(const std::string& name) const {
  struct stat found;
  return ::fstatat(folder_, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0;
}

bool OutputFolder::lock_is_ours() const {
  struct stat opened, named;
  return ::fstat(lock_, &opened) == 0 && ::fstatat(folder_, lock_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         same_file(opened, named);
}

bool OutputFolder::in_place() const {
  struct stat held, named;
  return folder_ >= 0 && ::fstat(folder_, &held) == 0 && ::stat(path_.c_str(), &named) == 0 && same_file(held, named);
}

// The current path of the folder that is held; empty if it was removed.
std::string OutputFolder::whereabouts() const {
  struct stat held;
  if (::fstat(folder_, &held) != 0 || held.st_nlink == 0) return "";
  std::error_code error;
  const fs::path now = fs::read_symlink("/proc/self/fd/" + std::to_string(folder_), error);
  return error ? "elsewhere" : now.string();
}

void OutputFolder::check_place() const {
  if (in_place()) return;
  const std::string now = whereabouts();
  require(!now.empty(), ErrorCode::io, path_,
          ": this folder was removed while it was written into; choose another one with --out");
  fail(ErrorCode::io, path_, ": this folder was moved while it was written into, and is now ", now,
       ", with all that was saved; continue there, or move it back; what is now at ", path_, " was not touched");
}

void OutputFolder::refuse_to_replace(Earlier earlier) const {
  if (earlier == Earlier::replaced || (earlier == Earlier::goes_on && is_there(files_.goes_on_from))) return;
  for (const std::string& name : files_.known_by)
    require(!is_there(name), ErrorCode::io, path_, " holds a model already (", name,
            "), which would be lost: ", files_.instead);
}

// Checks that nothing of the user's is in the way. Then lists the names, so that no file of ours exists without being
// listed.
void OutputFolder::claim() {
  const std::string list = path_ + "/" + list_name;
  const std::optional<Names> before = listed(path_);
  require(before || !is_there(list_name), ErrorCode::io, list,
          ": is no list of files that statera wrote, and would be replaced; choose another folder with --out");
  Names ours = before.value_or(Names());
  remove_partial_files(ours);
  const auto says = [&](const std::string& name) { return says_it_is_ours(path_ + "/" + name); };
  const bool known = std::any_of(files_.known_by.begin(), files_.known_by.end(), says);
  // The list alone proves nothing: a listed file may have been removed or never written, and a file of the user may be
  // there now.
  const auto is_empty = [&](const std::string& name) {
    struct stat found;
    return ::fstatat(folder_, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode) &&
           found.st_size == 0;
  };
  for (const std::string& name : files_.names)
    check_name(name, contains(ours, name) ? known || says(name) || is_empty(name)
                                          : !before && known && (says(name) || !contains(files_.known_by, name)));
  for (const std::string& folder : files_.folders) check_folder(folder, before ? contains(ours, folder + "/") : known);
  // make sure that all can be written before the first one is
  for (const std::string& name : files_.names)
    if (name != files_.link && (folder_in(name).empty() || is_there(folder_in(name)))) AtomicFile{at(name)};
  for (const std::string& name : files_.names)
    if (!contains(ours, name)) ours.push_back(name);
  for (const std::string& folder : files_.folders)
    if (!contains(ours, folder + "/")) ours.push_back(folder + "/");
  if (!before || ours.size() != before->size()) {
    list_before_ = before ? list_in(list) : std::nullopt;
    write_file(at(list_name), list_text(ours));
  }
  claimed_ = true;  // nothing was changed before this point
}

// Throws if the existing file must not be replaced.
void OutputFolder::check_name(const std::string& name, bool ours) const {
  const std::string path = path_ + "/" + name, folder = folder_in(name), between = path_ + "/" + folder;
  struct stat found;
  if (!folder.empty() && ::fstatat(folder_, folder.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0) {
    require(S_ISDIR(found.st_mode), ErrorCode::io, between,
            ": is no folder, and one is to be written there; choose another folder with --out");
    require(!listed(between), ErrorCode::io, between, ": is the folder of another model, and ",
            name.substr(folder.size() + 1), " would be written into it; choose another folder with --out");
  }
  if (::fstatat(folder_, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return;
  require(name == files_.link ? S_ISLNK(found.st_mode) : S_ISREG(found.st_mode), ErrorCode::io, path, ": is no ",
          name == files_.link ? "symbolic link" : "plain file",
          ", and would be replaced; choose another folder with --out");
  require(ours, ErrorCode::io, path,
          ": was not written by statera, or nothing beside it says so any more, and would be replaced; move it away, "
          "or choose another folder with --out");
}

// The same for a folder of folders: what is in it before it is ours would be taken for folders of this writer.
void OutputFolder::check_folder(const std::string& name, bool ours) const {
  if (!is_there(name)) return;
  const std::string path = path_ + "/" + name;
  std::error_code error;
  require(fs::is_directory(path, error), ErrorCode::io, path,
          ": is no folder, and one is to be written there; choose another folder with --out");
  require(ours || (fs::is_empty(path, error) && !error), ErrorCode::io, path,
          ": holds something that was not written by this command, and would be taken for its own; choose another "
          "folder with --out");
}

// Removes partial files of a killed writer, by the mark that it left in the lock.
void OutputFolder::remove_partial_files(const Names& names) {
  if (mark_before_.empty()) return;
  ::unlinkat(folder_, partial_path(list_name, mark_before_).c_str(), 0);
  for (const Names* all : {&names, &std::as_const(files_.names)})  // it may have been killed before it wrote its list
    for (const std::string& name : *all) ::unlinkat(folder_, partial_path(name, mark_before_).c_str(), 0);
}

// If nothing was written, restores a list that was extended, and removes one that names no existing file.
void OutputFolder::tidy() {
  const auto is_file_there = [&](const std::string& name) { return !name.ends_with('/') && is_there(name); };
  if (!claimed_ || std::ranges::any_of(files_.names, is_file_there)) return;
  try {
    if (list_before_)
      write_file(at(list_name), *list_before_);
    else if (const auto ours = in_place() ? listed(path_) : std::nullopt;
             ours && std::ranges::none_of(*ours, is_file_there))
      ::unlinkat(folder_, list_name, 0);
    // Fails only with a full disk. Then the list names files that do not exist, which does no harm; and a destructor
    // calls this.
  } catch (const Error&) {
  }
}

// Makes a folder between, or checks that it is still the same one.
void OutputFolder::enter(const std::string& folder) {
  const bool made = ::mkdirat(folder_, folder.c_str(), 0777) == 0;
  require(made || errno == EEXIST, ErrorCode::io, "cannot make the folder ", path_, "/", folder, ": ",
          std::strerror(errno), "; choose another one with --out");
  struct stat found;
  require(::fstatat(folder_, folder.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(found.st_mode), ErrorCode::io,
          path_, "/", folder, ": is no folder, and one is to be written there; move it away");
  const Identity now{found.st_dev, found.st_ino};
  if (made) {
    sync_folder(folder_);
    made_below_.push_back(folder);
    between_[folder] = now;
  }
  require(between_.emplace(folder, now).first->second == now, ErrorCode::io, path_, "/", folder,
          ": is not the folder that was here when the work began; nothing was written into it; move it away, then "
          "continue");
}

OutputPlace OutputFolder::at(const std::string& name) {
  if (!lock_is_ours()) {
    require(!whereabouts().empty(), ErrorCode::io, path_,
            ": this folder was removed while it was written into; choose another one with --out");
    fail(ErrorCode::io, path_, ": its ", lock_name,
         " was removed, so that another process may write there too; what was saved before is in ", whereabouts(),
         "; continue when nothing else writes there");
  }
  if (!folder_in(name).empty()) enter(folder_in(name));
  return {folder_, name, path_ + "/" + name, mark_};
}

void OutputFolder::copy(const OutputPlace& place, int64_t keep) {
  AtomicFile to(place);
  const int from = ::openat(folder_, place.name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  require(from >= 0 || errno == ENOENT, ErrorCode::io, place.path, ": cannot read: ", std::strerror(errno));
  if (from >= 0) {
    std::vector<char> piece(1 << 16);
    ssize_t got = 0;
    while (keep > 0 &&
           (got = ::read(from, piece.data(), static_cast<size_t>(std::min<int64_t>(keep, std::ssize(piece))))) > 0) {
      to.write(piece.data(), static_cast<size_t>(got));
      keep -= got;
    }
    const int error = errno;
    ::close(from);
    require(got >= 0, ErrorCode::io, place.path, ": cannot read: ", std::strerror(error));
  }
  to.commit();
}

std::FILE* OutputFolder::append(const std::string& name, int64_t keep) {
  const OutputPlace place = at(name);
  copy(place, keep);
  const int file = above_standard(::openat(folder_, name.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW));
  std::FILE* const opened = file < 0 ? nullptr : ::fdopen(file, "ab");
  require(opened != nullptr, ErrorCode::io, place.path, ": cannot write: ", std::strerror(errno));
  return opened;
}

void OutputFolder::own(const std::string& name) {
  struct stat found;
  if (::fstatat(folder_, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && found.st_nlink > 1)
    copy(at(name), std::numeric_limits<int64_t>::max());
}

void OutputFolder::link(const std::string& name, const std::string& target) {
  const OutputPlace place = at(name);
  struct stat found;
  require(::fstatat(folder_, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0 || S_ISLNK(found.st_mode), ErrorCode::io,
          place.path, ": is no symbolic link, and would be replaced; move it away");
  ::unlinkat(folder_, name.c_str(), 0);
  require(::symlinkat(target.c_str(), folder_, name.c_str()) == 0, ErrorCode::io, place.path,
          ": cannot make the link: ", std::strerror(errno));
}

void OutputFolder::remove(const std::string& name) {
  const std::string folder = folder_in(name);
  if (is_there(name)) {
    const OutputPlace place = at(name);
    check_name(name, true);  // at the start it was checked whose file this is
    require(::unlinkat(folder_, name.c_str(), 0) == 0 || errno == ENOENT, ErrorCode::io, place.path,
            ": cannot remove: ", std::strerror(errno));
  }
  if (!folder.empty() && ::unlinkat(folder_, folder.c_str(), AT_REMOVEDIR) == 0) between_.erase(folder);
}

void OutputFolder::remove(const std::string& path, const OutputFiles& files) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return;
  OutputFolder folder(path, files);
  for (const std::string& name : files.names) folder.remove(name);
  folder.list_before_.reset();
  folder.made_.insert(folder.made_.begin(), folder.path_);
}

std::vector<std::string> own_files(const std::string& folder) {
  std::optional<Names> names = listed(folder);
  if (!names) return {};
  for (const char* name : {list_name, lock_name}) names->emplace_back(name);
  return *names;
}

void check_named_output(const OutputPlace& place) {
  std::error_code ignored;
  const fs::path real = fs::weakly_canonical(fs::absolute(place.path, ignored), ignored);
  const fs::path folder = real.parent_path();
  const std::string name = real.filename().string();
  const Names ours = own_files(folder.string());
  const bool may_replace = !place.may_replace.empty() && format_in(real.string()).starts_with(place.may_replace);
  require((may_replace || !says_it_is_ours(real.string())) && !contains(ours, name) &&
              !contains(own_files(folder.parent_path().string()), folder.filename().string() + "/" + name),
          ErrorCode::io, place.path,
          ": is a file of a model or a comparison, and would be replaced; give another name");
}

}  // namespace statera
