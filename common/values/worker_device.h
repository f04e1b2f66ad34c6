#pragma once

#include <cstdint>
#include <string>

#include "common/values/enum_names.h"

namespace fpo {

// What a worker computes on.
enum class DeviceKind { kCpu, kCuda };

template <>
struct EnumNames<DeviceKind> {
  static constexpr absl::string_view kNames[] = {"cpu", "cuda"};
};

// A GPU as its driver describes it.
struct Device {
  int32_t index = 0;      // the driver's
  std::string uuid = {};  // "GPU-..."; known to its worker only
  std::string name = {};
  int64_t memory_bytes = 0;
  int64_t used_bytes = 0;
  std::string driver = {};  // version

  bool operator==(const Device&) const = default;
};

}  // namespace fpo
