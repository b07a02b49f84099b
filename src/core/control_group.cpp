#include "core/control_group.hpp"

#include <fstream>
#include <sstream>
#include <vector>

#include "core/system_text.hpp"

namespace statera {

namespace {
// A line of /proc/self/mountinfo: which folder of a file system is mounted where.
struct Mount {
  std::string root, point, type, options;
};

std::string unescaped(const std::string& path) {  // the file writes a space as \040
  std::string plain;
  for (size_t i = 0; i < path.size(); ++i)
    if (path[i] == '\\' && i + 3 < path.size()) {
      plain += static_cast<char>((path[i + 1] - '0') * 64 + (path[i + 2] - '0') * 8 + (path[i + 3] - '0'));
      i += 3;
    } else {
      plain += path[i];
    }
  return plain;
}

std::vector<Mount> group_mounts(const std::string& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    Mount mount;
    std::string skipped, source;
    std::istringstream fields(line);
    fields >> skipped >> skipped >> skipped >> mount.root >> mount.point;
    while (fields >> skipped && skipped != "-") {
    }
    if (!(fields >> mount.type >> source >> mount.options) || (mount.type != "cgroup" && mount.type != "cgroup2"))
      continue;
    mount.root = unescaped(mount.root);
    mount.point = unescaped(mount.point);
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

bool listed(const std::string& names, const std::string& name) {
  return ("," + names + ",").find("," + name + ",") != std::string::npos;
}

// The group that /proc/self/cgroup names for a controller ("4:memory:/a/b"; v2: "0::/a/b"); "" if there is none.
std::string group_of(const std::string& root, bool second, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), last = line.find(':', first + 1);
    if (last == std::string::npos) continue;
    const std::string names = line.substr(first + 1, last - first - 1);
    if (second ? names.empty() : listed(names, controller)) return line.substr(last + 1);
  }
  return {};
}

// The folders of a group and its ancestors, as far as this mount shows them.
std::vector<std::string> folders(const std::string& root, const Mount& mount, std::string group) {
  const std::string above = mount.root == "/" ? "" : mount.root;
  // In a cgroup namespace the group's name may not begin with the root of the mount. Then the mount shows the group
  // itself.
  const bool below = group.starts_with(above) && (group.size() == above.size() || group[above.size()] == '/') &&
                     group.find("/..") == group.npos;
  group = below ? group.substr(above.size()) : "";
  std::vector<std::string> all;
  while (!group.empty()) {
    if (group != "/") all.push_back(root + mount.point + group);
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
  all.push_back(root + mount.point);
  return all;
}

// Reads a limit as v2 ("max", "1048576") or v1 ("-1", or the largest number of pages) writes it.
double limit(const std::string& path) {
  const std::string word = first_word(path);
  const double value = leading_number(word).first;
  constexpr double endless = 4e18;
  return word.empty() || word == "max" || value < 0 || value > endless ? INFINITY : value;
}

void add_memory(const std::string& folder, bool second, GroupLimits& limits) {
  const double most = limit(folder + (second ? "/memory.max" : "/memory.limit_in_bytes"));
  if (std::isinf(most)) return;
  const double used =
      leading_number(first_word(folder + (second ? "/memory.current" : "/memory.usage_in_bytes"))).first;
  double cached = 0;  // cached pages of files count as used, but the system gives them up for any other use
  for (const std::string list : {"inactive_file ", "active_file "})
    cached += number_after(folder + "/memory.stat", (second ? "" : "total_") + list, 0);
  limits.memory_bytes = std::min(limits.memory_bytes, most);
  limits.free_memory_bytes = std::min(limits.free_memory_bytes, std::max(0.0, most - std::max(0.0, used - cached)));
}

void add_cores(const std::string& folder, bool second, GroupLimits& limits) {
  std::string quota, period;
  if (second)
    std::ifstream(folder + "/cpu.max") >> quota >> period;  // "150000 100000", "max 100000"
  else
    quota = first_word(folder + "/cpu.cfs_quota_us"), period = first_word(folder + "/cpu.cfs_period_us");
  const double time = leading_number(quota).first, of = leading_number(period).first;
  if (time > 0 && of > 0) limits.cores = std::min(limits.cores, time / of);
}
}  // namespace

GroupLimits group_limits(const std::string& root) {
  GroupLimits limits;
  for (const Mount& mount : group_mounts(root)) {
    const bool second = mount.type == "cgroup2";
    const auto add = [&](const char* controller, void (*add_folder)(const std::string&, bool, GroupLimits&)) {
      if (!second && !listed(mount.options, controller)) return;
      for (const std::string& folder : folders(root, mount, group_of(root, second, controller)))
        add_folder(folder, second, limits);
    };
    add("memory", add_memory);
    add("cpu", add_cores);
  }
  return limits;
}

}  // namespace statera
