#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/listen_options.h"

namespace fpo::worker {

// The configuration of fpo-worker. Filled only by flags.cc.
struct WorkerConfig {
  ListenOptions listen = {.listen = "", .http = "127.0.0.1:7091", .port_file = "", .tls = {}};
  std::string coordinator = "127.0.0.1:7070";
  std::string cache = "127.0.0.1:7080";
  std::string token_file;                     // for both; empty: none
  std::string name;                           // stable name of this worker; default: the host's
  std::string host;                           // address at which other workers reach this one
  int32_t slots = 1;                          // ranks at once: GPUs, or shares of the CPUs
  std::string work_dir;                       // jobs, records, spool; one agent each
  std::string trainer;                        // fpo-train; default: next to this program
  std::string device = "auto";                // auto | cpu | cuda
  std::map<std::string, std::string> labels;  // what jobs may require of a worker
  // A rank that is silent for this long is stopped; 0: never.
  absl::Duration stall_timeout = absl::Minutes(10);
  // After this long without the coordinator, ranks write a checkpoint and stop; 0: never.
  absl::Duration abandon_after = absl::Minutes(30);
  // A worker that had nothing to do for so long ends; 0: never.
  absl::Duration exit_when_idle = absl::ZeroDuration();
  absl::Duration grace = absl::Seconds(30);  // between SIGTERM and SIGKILL at shutdown
  int64_t records_max_mib = 64 << 10;        // of pulled record files
  int64_t inputs_max_mib = 512 << 10;        // of inputs fetched from object stores
  int64_t spool_max_mib = 256;               // of one attempt's unsent logs and events each
  int64_t disk_reserve_mib = 512;            // free space below which no attempt starts
  // An idle GPU with more memory in use than this keeps its slot from being used; 0: not checked.
  int64_t device_idle_mib = 512;
  std::string cgroup = "auto";  // auto | off | a folder; see CgroupTree
  int64_t memory_max_mib = 0;   // of each rank; 0: no limit
  // Below these jobs may read, below those also write; both empty: anywhere, see Validate. Folders,
  // and s3://BUCKET[/PREFIX].
  std::vector<std::string> roots;
  std::vector<std::string> output_roots;
  // Servers that jobs of kind judge may ask, "URL" or "URL=KEY_FILE"; without roots any.
  std::vector<std::string> judges;
  bool allow_root = false;               // run as root
  bool forget_store = false;             // only that: KnownStore::Forget
  std::vector<std::string> environment;  // of this process, "NAME=value"

  // InvalidArgument names the flag and what is allowed. Roots are required as soon as the
  // coordinator is on another machine.
  absl::Status Validate() const;
  // Jobs read and write as the user of this process. As root that is everything: InvalidArgument
  // without --allow-root, except where no one but the users of this machine can submit jobs.
  absl::Status CheckUser(bool is_root) const;
  absl::Status CheckRoots() const;  // InvalidArgument: one is no folder here
  // The key file of each URL of `judges`; "": none.
  std::map<std::string, std::string> JudgeServers() const;
  // Coordinator on this machine, and no credentials: a trial, a test, one person's own machine.
  bool IsPlainLocal() const;
};

}  // namespace fpo::worker
