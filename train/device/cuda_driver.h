#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace fpo::train {

// What this host has of a CUDA driver, asked of the driver itself: LibTorch reports "no devices"
// whatever the cause.
struct CudaDriver {
  std::vector<std::string> device_files;  // /dev/nvidiactl, /dev/nvidia3, ...; empty: no driver
  std::string denied;                     // one of them that this process may not open; empty: none
  bool has_memory_device = true;          // /dev/nvidia-uvm, without which nothing starts
  std::string version;                    // of the kernel module, "580.65.06"; empty: not known
  std::string library_problem;            // why libcuda.so.1 does not load; empty: it does
  int cuda_version = 0;                   // newest CUDA the library supports, 13000: 13.0
  int init = 0;                           // what cuInit returned; 0: success
  std::string init_name;                  // of that code: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"
  int devices = 0;                        // visible ones
};

struct CudaDriverPlace {
  std::string library = "libcuda.so.1";
  std::string dev = "/dev";
  std::string version_file = "/proc/driver/nvidia/version";
};

// Initialises the driver in this process, so the variables it reads must be set before.
CudaDriver AskCudaDriver(const CudaDriverPlace& place = {});

// Why no GPU can be used: what is missing or wrong and the remedy. OK when LibTorch's CUDA half
// can start. `visible_devices`: CUDA_VISIBLE_DEVICES.
absl::Status CudaDriverProblem(const CudaDriver& driver,
                               const std::optional<std::string>& visible_devices);

// "driver 580.65.06, CUDA 13.0"; parts that are not known are left out.
std::string CudaDriverText(const CudaDriver& driver);

}  // namespace fpo::train
