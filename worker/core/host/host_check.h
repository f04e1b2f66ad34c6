#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/core/device/device_gate.h"
#include "worker/core/process/process_set.h"

namespace fpo::worker {

// What a host needs to run any job at all.
struct HostNeeds {
  std::string work_dir;
  int64_t disk_reserve_bytes = 0;  // free space there
  std::string device = "cpu";      // cpu | cuda
  std::vector<int32_t> slots = {};
  DeviceGate* gate = nullptr;  // null: GPUs are not checked
  absl::Duration answer_time = absl::Minutes(1);
};

// Runs `trainer` (argv[0] is fpo-train, the rest of argv is replaced by `words`) and returns its
// output. FailedPrecondition: it cannot be run, fails, or does not answer in time; Cancelled:
// stopped.
absl::StatusOr<std::string> AskTrainer(RankCommand trainer, const std::vector<std::string>& words,
                                       absl::Duration answer_time, ProcessSet* processes);

// The version of the host's trainer, if the host can run jobs. FailedPrecondition says what is
// wrong with the host, whatever the job: folder, disk, trainer, device. Unavailable: a device is in
// use now.
absl::StatusOr<std::string> CheckHost(const HostNeeds& needs, const RankCommand& trainer,
                                      ProcessSet* processes);

}  // namespace fpo::worker
