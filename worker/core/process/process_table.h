#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fpo::worker {

// Reads of /proc. A process that ends meanwhile is simply not found; zombies do not count.

// Start time in clock ticks since boot: together with the pid it identifies a process.
std::optional<uint64_t> ProcessStartTime(pid_t pid);

struct ProcessFilter {
  pid_t group = 0;  // members of this process group; 0: none
  std::vector<std::string>
      environment;  // processes whose environment has all of these "NAME=value"
};

// Live processes that match the group or the environment; never this process.
std::vector<pid_t> FindProcesses(const ProcessFilter& filter);

// Number of rounds, 10 ms apart, in which processes are killed.
inline constexpr int kKillRounds = 500;

// Sends SIGKILL to all matches repeatedly (a fork may be under way) until nothing is left or
// `tries` rounds of 10 ms passed. Returns what is left.
std::vector<pid_t> KillProcesses(const ProcessFilter& filter, int tries);

// How many processes the kernel killed for lack of memory since boot, in any cgroup; 0 when
// unknown.
int64_t OutOfMemoryKills();

}  // namespace fpo::worker
