#pragma once

#include <cstdint>
#include <string>

#include "common/values/end_class.h"

namespace fpo::worker {

// How a rank's process ended.
struct RankExit {
  bool gone = true;      // false: it, or a process it started, survived SIGKILL
  bool ended = true;     // false: it did not end on SIGKILL; then it is not gone, and has no code
  int code = 0;          // exit code when signal is 0
  int signal = 0;        // that killed it
  bool stopped = false;  // the agent had asked it to stop
  // The kernel killed a process of its cgroup for lack of memory; without a cgroup: it was killed
  // while the kernel killed some process for lack of memory.
  bool out_of_memory = false;
  int64_t peak_bytes = 0;  // peak memory, including everything it started; 0: unknown
};

// What the exit means for a restart.
EndClass EndClassOf(const RankExit& exit);

// A device, or a library that one needs, is missing or broken on this host.
bool IsDeviceFault(const RankExit& exit);

// A loss or a gradient was no number, or infinite.
bool IsNotFinite(const RankExit& exit);

// "exit code 3 (config or data invalid)", "killed by signal 11 (Segmentation fault)".
std::string DescribeExit(const RankExit& exit);

}  // namespace fpo::worker
