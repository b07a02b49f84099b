#include "core/control_group.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "core/machine.hpp"

namespace statera {
namespace {

// A system of files of our own, in place of /.
class ControlGroup : public ::testing::Test {
 protected:
  ControlGroup() {
    std::string name = (std::filesystem::temp_directory_path() / "statera_groups_XXXXXX").string();
    root_ = mkdtemp(name.data());
    write("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:   8000000 kB\n");
  }
  ~ControlGroup() override { std::filesystem::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  GroupLimits limits() const { return group_limits(root_); }

  std::string root_;
};

constexpr const char* second_mounts =
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "30 21 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";

TEST_F(ControlGroup, WithoutOneThereIsNoLimit) {
  EXPECT_TRUE(std::isinf(limits().memory_bytes) && std::isinf(limits().free_memory_bytes) &&
              std::isinf(limits().cores));
  EXPECT_EQ(usable_memory_bytes(root_), 16000000 * 1024.0);
  EXPECT_EQ(free_memory_bytes(root_), 8000000 * 1024.0);
  std::filesystem::remove(root_ + "/proc/meminfo");
  EXPECT_TRUE(std::isinf(usable_memory_bytes(root_)) && std::isinf(free_memory_bytes(root_)));
  write("/proc/self/mountinfo", second_mounts);
  write("/proc/self/cgroup", "0::/a.slice/b.service\n");
  write("/sys/fs/cgroup/a.slice/b.service/memory.max", "max\n");
  write("/sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000\n");
  EXPECT_TRUE(std::isinf(limits().memory_bytes) && std::isinf(limits().free_memory_bytes) &&
              std::isinf(limits().cores));
}

TEST_F(ControlGroup, TheLeastOfTheGroupAndThoseAboveItHolds) {
  write("/proc/self/mountinfo", second_mounts);
  write("/proc/self/cgroup", "0::/a.slice/b.service\n");
  const std::string above = "/sys/fs/cgroup/a.slice", group = above + "/b.service";
  write(group + "/memory.max", "2000000000\n");
  write(group + "/memory.current", "500000000\n");
  write(group + "/cpu.max", "250000 100000\n");
  EXPECT_EQ(limits().memory_bytes, 2e9);
  EXPECT_EQ(limits().free_memory_bytes, 1.5e9);
  EXPECT_EQ(limits().cores, 2.5);
  write(above + "/memory.max", "3000000000\n");  // more, but others use nearly all of it
  write(above + "/memory.current", "2900000000\n");
  write(above + "/cpu.max", "50000 100000\n");
  EXPECT_EQ(limits().memory_bytes, 2e9);
  EXPECT_EQ(limits().free_memory_bytes, 1e8);
  EXPECT_EQ(limits().cores, 0.5);
  // which is given up when needed
  write(above + "/memory.stat", "anon 1\nfile 9\ninactive_file 300000000\nactive_file 200000000\nslab 4\n");
  EXPECT_EQ(limits().free_memory_bytes, 6e8);
  write(above + "/memory.current", "3100000000\n");
  write(above + "/memory.stat", "");
  EXPECT_EQ(limits().free_memory_bytes, 0);
  write("/sys/fs/cgroup/memory.max", "1000\n");  // of the group that the mount itself shows
  EXPECT_EQ(limits().memory_bytes, 1000);
}

TEST_F(ControlGroup, TheMountMayShowTheGroupItself) {
  write("/proc/self/mountinfo", "30 21 0:26 /docker/x\\040y /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  write("/sys/fs/cgroup/memory.max", "1000000\n");
  write("/sys/fs/cgroup/memory.current", "0\n");
  write("/sys/fs/cgroup/inner/memory.max", "500000\n");
  for (const char* group : {"0::/docker/x y\n", "0::/\n", "0::/../..\n", "0::/docker/x yz\n"}) {
    write("/proc/self/cgroup", group);
    EXPECT_EQ(limits().memory_bytes, 1e6) << group;
  }
  write("/proc/self/cgroup", "0::/docker/x y/inner\n");
  EXPECT_EQ(limits().memory_bytes, 5e5);
}

TEST_F(ControlGroup, TheFirstVersionHasAMountForEachController) {
  write("/proc/self/mountinfo",
        "31 21 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "32 21 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "33 21 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
  write("/proc/self/cgroup", "5:memory:/docker/a\n4:cpu,cpuacct:/docker/b\n0::/docker/c\n");
  const std::string memory = "/sys/fs/cgroup/memory", cpu = "/sys/fs/cgroup/cpu,cpuacct/docker/b";
  write(memory + "/memory.limit_in_bytes", "9223372036854771712\n");
  write(memory + "/docker/a/memory.limit_in_bytes", "4000000000\n");
  write(memory + "/docker/a/memory.usage_in_bytes", "1500000000\n");
  write(memory + "/docker/a/memory.stat",
        "cache 7\ninactive_file 1\ntotal_inactive_file 400000000\ntotal_active_file 100000000\n");
  write(cpu + "/cpu.cfs_quota_us", "-1\n");
  write(cpu + "/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(limits().memory_bytes, 4e9);
  EXPECT_EQ(limits().free_memory_bytes, 3e9);
  EXPECT_TRUE(std::isinf(limits().cores));
  write(cpu + "/cpu.cfs_quota_us", "150000\n");
  EXPECT_EQ(limits().cores, 1.5);
}

TEST_F(ControlGroup, MachineAndDeviceGoByIt) {
  write("/proc/self/mountinfo", second_mounts);
  write("/proc/self/cgroup", "0::/a\n");
  write("/sys/fs/cgroup/a/memory.max", "2000000000\n");
  write("/sys/fs/cgroup/a/memory.current", "500000000\n");
  EXPECT_EQ(usable_memory_bytes(root_), 2e9);
  EXPECT_EQ(free_memory_bytes(root_), 1.5e9);
  const int all = usable_cores(root_);
  for (const auto& [quota, cores] : {std::pair("10000", 1), {"100000", 1}, {"100001", 2}, {"99900000", all}}) {
    write("/sys/fs/cgroup/a/cpu.max", std::string(quota) + " 100000\n");
    EXPECT_EQ(usable_cores(root_), std::min(cores, all)) << quota;
  }
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(usable_cores(root_), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace statera
