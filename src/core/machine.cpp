#include "core/machine.hpp"

#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "statera/device.hpp"

namespace statera {

namespace {
// "MemTotal:  24099876 kB" -> bytes; `otherwise` where there is no such line.
double kib_line(const char* path, const std::string& key, double otherwise) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.rfind(key, 0) == 0) return 1024 * std::strtod(line.c_str() + key.size(), nullptr);
  return otherwise;
}

std::string word_of(const std::string& path) {
  std::string word;
  std::ifstream(path) >> word;
  return word;
}

void read_caches(Machine& machine) {
  for (int i = 0; i < 8; ++i) {
    const std::string cache = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    const std::string level = word_of(cache + "level"), size = word_of(cache + "size");
    if (level.empty() || size.empty() || word_of(cache + "type") == "Instruction") continue;
    char* unit = nullptr;
    const double number = std::strtod(size.c_str(), &unit), bytes = number * (*unit == 'K' ? 1024.0 : *unit == 'M' ? 1048576.0 : 1);
    if (level == "1") machine.l1_bytes = bytes;
    if (level == "2") machine.l2_bytes = bytes;
    if (level == "3") machine.l3_bytes = bytes;
  }
}
}  // namespace

Machine this_machine() {
  Machine machine;
  machine.cores = Device::cpu().threads();
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos) {
      machine.cpu = line.substr(line.find(": ") + 2);
      break;
    }
  machine.memory_bytes = kib_line("/proc/meminfo", "MemTotal:", 0);
  read_caches(machine);
  std::ifstream("/proc/loadavg") >> machine.load;
  return machine;
}

double free_memory_bytes() { return kib_line("/proc/meminfo", "MemAvailable:", INFINITY); }

double resident_bytes() { return kib_line("/proc/self/status", "VmRSS:", 0); }

double peak_resident_bytes() { return kib_line("/proc/self/status", "VmHWM:", 0); }

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
  const size_t name_end = stat.rfind(')');  // the name may hold spaces
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field) fields >> skipped;
  double ticks = 0;
  timespec now{};
  if (!(fields >> ticks) || clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) - ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace statera
