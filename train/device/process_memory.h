#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace fpo::train {

// Largest resident size of this process so far, from /proc; 0 where that is not readable.
int64_t PeakMemoryBytes();

// Its resident size now.
int64_t CurrentMemoryBytes();

// Bytes that this process may still take without another having to give some back: what the kernel
// calls available, and the room below the control group's limit. 0 where neither is readable.
int64_t AvailableMemoryBytes();

// Most bytes of `device` that tensors of this process held at once, by LibTorch's allocator; what
// the driver and libraries take beside it is not in it. None for the CPU.
std::optional<int64_t> PeakDeviceMemoryBytes(c10::Device device);

// Both peaks under their metrics.jsonl names.
std::map<std::string, double> PeakMemory(c10::Device device);

// Gives what the allocator of tensors keeps for later back to `device`: after running out of
// memory, pieces of sizes that are not asked for again may be in the way.
void EmptyDeviceCache(c10::Device device);

}  // namespace fpo::train
