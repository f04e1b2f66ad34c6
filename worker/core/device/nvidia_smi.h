#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "worker/core/device/device_probe.h"

namespace fpo::worker {

// Parses the lines of `nvidia-smi
// --query-gpu=index,uuid,name,memory.total,memory.used,driver_version
// --format=csv,noheader,nounits`. DataLoss names the malformed line.
absl::StatusOr<std::vector<Device>> ParseNvidiaSmi(absl::string_view text);

// Runs that program, for machines whose driver comes without the library. Thread-safe.
class NvidiaSmi final : public DeviceProbe {
 public:
  // `program` is looked up in the folders of `path` unless it contains a slash.
  NvidiaSmi(const std::string& program, const std::string& path, Spawner* spawner);

  // NotFound; Unavailable: it failed, or took more than 10 s.
  absl::StatusOr<std::vector<Device>> Read() override;
  std::string name() const override { return "nvidia-smi"; }

 private:
  std::string program_;  // empty: not found
  Spawner* const spawner_;
};

}  // namespace fpo::worker
