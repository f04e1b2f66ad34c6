#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/core/process/rank_environment.h"

namespace fpo::worker {

// The cgroup (version 2) of one rank: whatever it starts stays in it, even after moving to another
// session or group. Removes itself. Thread-safe.
class RankCgroup {
 public:
  explicit RankCgroup(std::string path) : path_(std::move(path)) {}  // the folder must exist
  ~RankCgroup();
  RankCgroup(const RankCgroup&) = delete;
  RankCgroup& operator=(const RankCgroup&) = delete;

  // A process that writes "0" to it becomes a member.
  std::string procs_path() const { return path_ + "/cgroup.procs"; }
  bool HasProcesses() const;
  void Kill();  // SIGKILL to all members, including those being forked
  // Kills until none is left; false if some are after `tries` rounds of 10 ms.
  bool KillAll(int tries);
  // Number of members killed by the kernel because the cgroup was out of memory; nullopt without
  // the memory controller.
  std::optional<int64_t> OutOfMemoryKills() const;
  std::optional<int64_t> PeakBytes() const;

 private:
  const std::string path_;
};

// Creates the cgroups of an agent's ranks. Thread-safe.
class CgroupTree {
 public:
  struct Options {
    // "auto": below the agent's own cgroup if that is delegated to it; else a folder of a cgroup
    // version 2 file system that the agent may write.
    std::string where = "auto";
    std::string work_dir;      // names the cgroups, so that agents can share a folder
    int64_t memory_bytes = 0;  // limit of each rank; 0: none
    std::string proc = "/proc";
  };
  // Kills and removes what a dead agent of the same work folder left. Unavailable, with the reason:
  // nothing is delegated ("auto"), and ranks run without cgroups. InvalidArgument: an unsuitable
  // folder, or a memory limit without the memory controller.
  static absl::StatusOr<std::unique_ptr<CgroupTree>> Open(const Options& options);
  virtual ~CgroupTree() = default;

  virtual absl::StatusOr<std::unique_ptr<RankCgroup>> Make(const RankIdentity& identity);

  bool has_memory() const { return has_memory_; }
  int killed_at_start() const { return killed_at_start_; }
  const std::string& path() const { return path_; }

 protected:
  CgroupTree() = default;

 private:
  absl::Status RemoveLeftovers();

  std::string path_;
  std::string prefix_;  // of the names of our cgroups in it
  bool has_memory_ = false;
  int64_t memory_bytes_ = 0;
  int killed_at_start_ = 0;
  std::atomic<int64_t> made_ = 0;
};

}  // namespace fpo::worker
