#include "train/device/process_memory.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "train/device/tensor_memory.h"

namespace fpo::train {

namespace {

// "NAME   123 kB" of a file in /proc, in bytes.
std::optional<int64_t> ReadKib(const char* path, const char* name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, name)) continue;
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    int64_t kib = 0;
    if (words.size() > 1 && absl::SimpleAtoi(words[1], &kib)) return kib * 1024;
    return std::nullopt;
  }
  return std::nullopt;
}

// None for "max", as of a group without a limit.
std::optional<int64_t> ReadNumber(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  int64_t number = 0;
  if (!(file >> word) || !absl::SimpleAtoi(word, &number)) return std::nullopt;
  return number;
}

// Below the limit of this process's control group (version 2), or of the container's root.
std::optional<int64_t> RoomOfGroup() {
  std::ifstream own("/proc/self/cgroup");
  std::string line;
  std::getline(own, line);
  const std::string group = absl::StartsWith(line, "0::") ? line.substr(3) : "/";
  for (const std::string& folder : {"/sys/fs/cgroup" + group, std::string("/sys/fs/cgroup")}) {
    const auto limit = ReadNumber(folder + "/memory.max");
    const auto used = ReadNumber(folder + "/memory.current");
    if (limit && used) return std::max<int64_t>(0, *limit - *used);
  }
  return std::nullopt;
}

}  // namespace

int64_t PeakMemoryBytes() { return ReadKib("/proc/self/status", "VmHWM:").value_or(0); }

int64_t CurrentMemoryBytes() { return ReadKib("/proc/self/status", "VmRSS:").value_or(0); }

int64_t AvailableMemoryBytes() {
  const int64_t host = ReadKib("/proc/meminfo", "MemAvailable:").value_or(0);
  return std::min(host, RoomOfGroup().value_or(host));
}

std::optional<int64_t> PeakDeviceMemoryBytes(c10::Device device) {
  if (device.is_cpu()) return std::nullopt;
  c10::DeviceAllocator* const allocator = c10::getDeviceAllocator(device.type());
  if (!allocator->initialized()) return 0;
  constexpr size_t kAllPools = 0;  // of c10::CachingAllocator::StatType: AGGREGATE
  return allocator->getDeviceStats(device.index()).allocated_bytes[kAllPools].peak;
}

std::map<std::string, double> PeakMemory(c10::Device device) {
  std::map<std::string, double> peaks = {
      {"memory_peak_bytes", static_cast<double>(PeakMemoryBytes())}};
  if (const auto bytes = PeakDeviceMemoryBytes(device)) {
    peaks["device_memory_peak_bytes"] = static_cast<double>(*bytes);
  }
  return peaks;
}

void EmptyDeviceCache(c10::Device device) {
  if (device.is_cpu()) return TensorMemory::GiveBackKept();
  c10::getDeviceAllocator(device.type())->emptyCache();
}

}  // namespace fpo::train
