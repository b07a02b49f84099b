#include "core/machine.hpp"

#include <fstream>

#include "statera/device.hpp"

namespace statera {

Machine this_machine() {
  Machine machine;
  machine.cores = Device::cpu().threads();
  std::ifstream cpus("/proc/cpuinfo");
  for (std::string line; std::getline(cpus, line);)
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos) {
      machine.cpu = line.substr(line.find(": ") + 2);
      break;
    }
  std::ifstream memory("/proc/meminfo");
  std::string key;
  double kib = 0;
  if (memory >> key >> kib && key == "MemTotal:") machine.memory_bytes = 1024 * kib;
  std::ifstream("/proc/loadavg") >> machine.load;
  return machine;
}

}  // namespace statera
