#include "core/machine.hpp"

#include <malloc.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/check.hpp"
#include "core/control_group.hpp"
#include "core/system_text.hpp"

namespace statera {

namespace {
std::atomic<double> most_free_memory = INFINITY;

void read_caches(Machine& machine) {
  for (int i = 0; i < 8; ++i) {
    const std::string cache = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    const std::string level = first_word(cache + "level"), size = first_word(cache + "size");
    if (level.empty() || size.empty() || first_word(cache + "type") == "Instruction") continue;
    const auto [number, unit] = leading_number(size);
    const double bytes = number * (unit.starts_with('K') ? 1024.0 : unit.starts_with('M') ? 1048576.0 : 1);
    if (level == "1") machine.l1_bytes = bytes;
    if (level == "2") machine.l2_bytes = bytes;
    if (level == "3") machine.l3_bytes = bytes;
  }
}
}  // namespace

Machine this_machine() {
  Machine machine;
  machine.cores = usable_cores();
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos) {
      machine.cpu = line.substr(line.find(": ") + 2);
      break;
    }
  if (const double bytes = usable_memory_bytes(); std::isfinite(bytes)) machine.memory_bytes = bytes;
  read_caches(machine);
  machine.load = leading_number(first_word("/proc/loadavg")).first;
  return machine;
}

int usable_cores(const std::string& root) {
  cpu_set_t set;
  const int allowed = sched_getaffinity(0, sizeof(set), &set) == 0
                          ? CPU_COUNT(&set)
                          : static_cast<int>(std::thread::hardware_concurrency());
  const double quota = std::ceil(group_limits(root).cores);
  return std::max(1, quota < allowed ? static_cast<int>(quota) : allowed);
}

double usable_memory_bytes(const std::string& root) {
  return std::min(1024 * number_after(root + "/proc/meminfo", "MemTotal:", INFINITY), group_limits(root).memory_bytes);
}

double free_memory_bytes(const std::string& root) {
  return std::min({1024 * number_after(root + "/proc/meminfo", "MemAvailable:", INFINITY),
                   group_limits(root).free_memory_bytes, most_free_memory.load()});
}

void limit_free_memory(double bytes) { most_free_memory = bytes; }

void require_memory(double bytes, const std::string& what, const std::string& fix) {
  constexpr double left_over = 16e6;  // page tables, stacks, files that are read and written
  const double unused = std::max(0.0, free_memory_bytes() - left_over);
  if (bytes <= unused) return;
  const bool large = bytes >= 1e9;
  const double unit = large ? 1e8 : 1e6, to_text = large ? 10 : 1;
  const char* name = large ? " GB" : " MB";
  fail(ErrorCode::device, what, " needs about ", std::ceil(bytes / unit) / to_text, name, " of memory, but ",
       std::floor(unused / unit) / to_text, name, " are free; ", fix);
}

double resident_bytes() { return 1024 * number_after("/proc/self/status", "VmRSS:", 0); }

double peak_resident_bytes() { return 1024 * number_after("/proc/self/status", "VmHWM:", 0); }

void reset_peak_resident() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  std::ofstream("/proc/self/clear_refs") << 5;
}

double process_age_seconds() {
  std::ifstream file("/proc/self/stat");
  std::string stat;
  std::getline(file, stat);
  const size_t name_end = stat.rfind(')');  // the name may contain spaces
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string ticks_text;
  for (int field = 3; field <= 22; ++field) fields >> ticks_text;
  const double ticks = leading_number(ticks_text).first;
  timespec now{};
  if (!fields || clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) -
         ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace statera
