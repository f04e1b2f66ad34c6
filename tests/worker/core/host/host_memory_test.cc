#include "worker/core/host/host_memory.h"

#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo::worker {
namespace {

constexpr char kMemory[] = "MemTotal:       1000 kB\nMemFree:  5 kB\n";

TEST(HostMemory, IsWhatTheKernelSays) {
  const train::ScratchFolder root;
  EXPECT_EQ(HostMemoryBytes(root / "absent"), 0);
  root.Put("proc/meminfo", kMemory);
  EXPECT_EQ(HostMemoryBytes(root / ""), 1000 * 1024);
  EXPECT_GT(HostMemoryBytes(), 0) << "of this machine";
}

TEST(HostMemory, IsNoMoreThanAControlGroupAllows) {
  const train::ScratchFolder root;
  root.Put("proc/meminfo", kMemory);
  root.Put("proc/self/cgroup", "0::/slice/agent\n");
  root.Put("sys/fs/cgroup/slice/agent/memory.max", "max\n");
  EXPECT_EQ(HostMemoryBytes(root / ""), 1000 * 1024);
  root.Put("sys/fs/cgroup/slice/memory.max", "4096\n");
  EXPECT_EQ(HostMemoryBytes(root / ""), 4096) << "of a group above";
}

}  // namespace
}  // namespace fpo::worker
