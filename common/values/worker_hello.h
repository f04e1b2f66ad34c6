#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/values/attempt_ref.h"
#include "common/values/store_mark.h"
#include "common/values/worker_device.h"

namespace fpo {

// The first message of a worker.
struct WorkerHello {
  std::string worker_id;    // stable name of the host's agent
  std::string instance_id;  // random per process
  std::string host;
  std::string version;
  int32_t slots = 1;
  std::optional<DeviceKind> device;  // none: unknown to this version
  std::vector<AttemptRef> running;
  std::map<std::string, std::string> labels = {};  // what jobs may require
  std::vector<Device> devices = {};
  std::string work_dir = {};  // for people
  std::string home_id = {};   // kept in the work dir; empty: not reported
  std::string boot_id = {};   // of the host's current boot
  int64_t memory_bytes = 0;   // of the host; 0: not known
  StoreMark store = {};       // that this agent knows
};

}  // namespace fpo
