#include "train/torch_status.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <new>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

constexpr char kMemoryAdvice[] =
    "; lower batch.tokens_per_microbatch or data.max_length, turn on activation_checkpointing, or "
    "set retry.on_oom: retry, which halves the micro-batch";

// What allocators other than LibTorch's own for the device say. A failed allocation on the CPU is a
// plain c10::Error, and so is one inside cuBLAS, cuDNN or NCCL.
constexpr const char* kOutOfMemory[] = {
    "not enough memory",          "can't allocate memory",         "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED",  // no room for its handle
    "CUDNN_STATUS_ALLOC_FAILED",  "CUSOLVER_STATUS_ALLOC_FAILED",  "Failed to CUDA calloc",
    "Failed to CUDA malloc",
};

bool IsOutOfMemory(absl::string_view what) {
  return std::any_of(std::begin(kOutOfMemory), std::end(kOutOfMemory),
                     [&](const char* words) { return absl::StrContains(what, words); });
}

// CUDA's messages for faults of this host rather than of the computation: the driver, the device,
// or a mismatch between these and this program.
constexpr const char* kDeviceFaults[] = {
    "no CUDA-capable device is detected",
    "No CUDA GPUs are available",
    "Found no NVIDIA driver",
    "driver version is insufficient",
    "driver on your system is too old",
    "invalid device ordinal",
    "devices are busy or unavailable",
    "no kernel image is available",
    "device kernel image is invalid",
    "initialization error",
    "system not yet initialized",
    "system has unsupported display driver",
    "compatibility mode",
    "uncorrectable ECC error",
    "uncorrectable NVLink error",
    "hardware stack error",
    "GPU is lost",
    // A broken device or driver as often as a kernel's bug; on another host a bug shows again. A
    // device-side assert is always the program's: an index out of range.
    "an illegal memory access was encountered",
    "unspecified launch failure",
    "misaligned address",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "unknown error",
    "unable to load CUDA",
};

bool IsDeviceFault(absl::string_view what) {
  if (!absl::StrContains(what, "CUDA") && !absl::StrContains(what, "NVIDIA")) return false;
  return std::any_of(std::begin(kDeviceFaults), std::end(kDeviceFaults),
                     [&](const char* fault) { return absl::StrContains(what, fault); });
}

std::string FirstLine(absl::string_view what) {
  return std::string(what.substr(0, what.find('\n')));
}

absl::Status OutOfMemory(absl::string_view what) {
  return FailWith(ExitCode::kOutOfMemory, absl::StrCat(what, kMemoryAdvice));
}

}  // namespace

absl::string_view MemoryAdvice() { return kMemoryAdvice; }

absl::Status RunTorch(const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const c10::OutOfMemoryError& error) {
    return OutOfMemory(
        absl::StrCat("out of device memory: ", FirstLine(error.what_without_backtrace())));
  } catch (const c10::DistBackendError& error) {
    // The whole text: NCCL's own words stand in its last lines.
    if (IsOutOfMemory(error.what_without_backtrace())) {
      return OutOfMemory(
          absl::StrCat("out of device memory: ", FirstLine(error.what_without_backtrace())));
    }
    return absl::AbortedError(
        absl::StrCat("another rank was lost: ", FirstLine(error.what_without_backtrace())));
  } catch (const c10::Error& error) {
    const std::string what = FirstLine(error.what_without_backtrace());
    if (IsOutOfMemory(what)) {
      return OutOfMemory(absl::StrCat("out of memory: ", what));
    }
    if (IsDeviceFault(what)) return FailWith(ExitCode::kDevice, what);
    return absl::InternalError(what);
  } catch (const std::bad_alloc&) {
    return OutOfMemory("out of memory");
  } catch (const std::exception& error) {
    return absl::InternalError(FirstLine(error.what()));
  }
}

}  // namespace fpo::train
