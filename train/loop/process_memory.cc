#include "train/loop/process_memory.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace fpo::train {

int64_t PeakMemoryBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!absl::StartsWith(line, "VmHWM:")) continue;
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t kib = 0;
    return words.size() > 1 && absl::SimpleAtoi(words[1], &kib) ? kib * 1024 : 0;
  }
  return 0;
}

std::optional<int64_t> PeakDeviceMemoryBytes(c10::Device device) {
  if (device.is_cpu()) return std::nullopt;
  c10::DeviceAllocator* const allocator = c10::getDeviceAllocator(device.type());
  if (!allocator->initialized()) return 0;
  constexpr size_t kAllPools = 0;  // of c10::CachingAllocator::StatType: AGGREGATE
  return allocator->getDeviceStats(device.index()).allocated_bytes[kAllPools].peak;
}

void EmptyDeviceCache(c10::Device device) {
  if (!device.is_cpu()) c10::getDeviceAllocator(device.type())->emptyCache();
}

}  // namespace fpo::train
