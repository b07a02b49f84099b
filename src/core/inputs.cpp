#include "core/inputs.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>

namespace statera {

namespace {
struct Identity {
  uint64_t major, minor, number;
  int64_t made_seconds, made_nanoseconds;
  auto operator<=>(const Identity&) const = default;
};

struct Inputs {
  std::mutex lock;
  std::set<Identity> files;
};

Inputs& inputs() {
  static Inputs all;
  return all;
}

// Empty if it does not exist or is not a plain file.
std::optional<Identity> identity(int folder, const char* name, int flags) {
  struct statx found = {};
  if (::statx(folder, name, flags, STATX_TYPE | STATX_INO | STATX_BTIME, &found) != 0 || !S_ISREG(found.stx_mode))
    return {};
  const bool dated = (found.stx_mask & STATX_BTIME) != 0;
  return Identity{found.stx_dev_major, found.stx_dev_minor, found.stx_ino, dated ? found.stx_btime.tv_sec : 0,
                  dated ? static_cast<int64_t>(found.stx_btime.tv_nsec) : 0};
}

bool noted(const std::optional<Identity>& file) {
  Inputs& all = inputs();
  const std::lock_guard lock(all.lock);
  return file && all.files.contains(*file);
}
}  // namespace

void note_input(int descriptor) {
  const auto file = identity(descriptor, "", AT_EMPTY_PATH);
  Inputs& all = inputs();
  const std::lock_guard lock(all.lock);
  if (file) all.files.insert(*file);
}

bool is_input(int descriptor) { return noted(identity(descriptor, "", AT_EMPTY_PATH)); }
bool is_input(int folder, const char* name) { return noted(identity(folder, name, AT_SYMLINK_NOFOLLOW)); }

}  // namespace statera
