#include "train/device.h"

#include <dlfcn.h>

#include <ATen/ops/ones.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/core/impl/alloc_cpu.h>

#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/cuda_settings.h"
#include "train/events/exit_status.h"
#include "train/torch_status.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

absl::Status NoCuda(absl::string_view what) {
  return FailWith(ExitCode::kDevice, absl::StrCat("device cuda: ", what, "; use --device cpu"));
}

// Containers often expose one device of several, so /dev/nvidia0 need not exist; WSL has its own
// device.
bool DriverIsHere() {
  std::error_code error;
  if (fs::exists("/dev/nvidiactl", error) || fs::exists("/dev/dxg", error)) return true;
  for (const auto& entry : fs::directory_iterator("/dev", error)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, "nvidia") && name.find_first_of("0123456789") == 6) return true;
  }
  return false;
}

// The folder of libc10.so, which also holds the other LibTorch libraries.
std::string TorchFolder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&c10::alloc_cpu), &info) == 0 || info.dli_fname == nullptr) {
    return "";
  }
  return fs::path(info.dli_fname).parent_path().string();
}

// LibTorch reports zero devices whatever the cause; this function of LibTorch gives the cause.
absl::Status WhyNoDevices() {
  using Count = int8_t (*)();
  const auto count =
      reinterpret_cast<Count>(dlsym(RTLD_DEFAULT, "_ZN3c104cuda28device_count_ensure_non_zeroEv"));
  if (count == nullptr) return absl::OkStatus();
  return RunTorch([count] {
    count();
    return absl::OkStatus();
  });
}

absl::Status LoadCuda() {
  if (!DriverIsHere()) {
    return NoCuda("no NVIDIA driver on this machine (neither /dev/nvidiactl nor /dev/nvidia0)");
  }
  SetCudaEnvironment();
  const std::string library = TorchFolder() + "/libtorch_cuda.so";
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return NoCuda(absl::StrCat("LibTorch's CUDA library does not load: ", dlerror(),
                               "; install the missing library beside it or on LD_LIBRARY_PATH"));
  }
  UseExactCudaArithmetic();
  const c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
  if (cuda.deviceCount() > 0) return absl::OkStatus();
  const absl::Status why = WhyNoDevices();
  return NoCuda(absl::StrCat("the driver offers no device (is CUDA_VISIBLE_DEVICES empty?)",
                             why.ok() ? "" : ": ", why.message()));
}

}  // namespace

absl::StatusOr<DeviceChoice> ChooseDevice(const std::string& name) {
  DeviceChoice choice;
  if (name == "cpu") return choice;
  const absl::Status loaded = LoadCuda();
  if (loaded.ok()) {
    choice.device = c10::Device(c10::DeviceType::CUDA, 0);
    return choice;
  }
  if (name != "auto") return loaded;
  choice.why_not_cuda = std::string(loaded.message());
  choice.driver_is_here = DriverIsHere();
  return choice;
}

absl::StatusOr<std::string> TryDevice(const DeviceChoice& choice) {
  if (choice.device.is_cpu()) {
    return absl::StrCat("cpu", choice.why_not_cuda.empty() ? "" : ": ", choice.why_not_cuda);
  }
  const absl::Status works = RunTorch([&] {
    const float sum = at::ones({8}, at::device(choice.device)).sum().item<float>();
    return sum == 8 ? absl::OkStatus() : absl::InternalError("it cannot add");
  });
  // A device whose memory is taken by other processes still works.
  if (!works.ok() && ExitCodeOf(works) != ExitCode::kOutOfMemory) return NoCuda(works.message());
  const c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
  return absl::StrCat("cuda: ", cuda.deviceCount(), " visible",
                      works.ok() ? "" : ", its memory is full");
}

}  // namespace fpo::train
