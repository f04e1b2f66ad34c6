#include "worker/trainer/device.h"

#include <dlfcn.h>

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/core/impl/alloc_cpu.h>

#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace fpo::train {
namespace {

constexpr char kDriverDevice[] = "/dev/nvidia0";

// The folder of libc10.so, where the other LibTorch libraries lie too.
std::string TorchFolder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&c10::alloc_cpu), &info) == 0 || info.dli_fname == nullptr) {
    return "";
  }
  return std::filesystem::path(info.dli_fname).parent_path().string();
}

absl::Status LoadCuda() {
  if (!std::filesystem::exists(kDriverDevice)) {
    return absl::NotFoundError(absl::StrCat("device cuda: no NVIDIA driver on this machine (",
                                            kDriverDevice, " does not exist); use --device cpu"));
  }
  const std::string library = TorchFolder() + "/libtorch_cuda.so";
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("device cuda: LibTorch's CUDA library does not load: ", dlerror(),
                     "; install the missing library beside it or on LD_LIBRARY_PATH, or use "
                     "--device cpu"));
  }
  const c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
  if (cuda.deviceCount() == 0) {
    return absl::NotFoundError(
        "device cuda: the driver offers no device (is CUDA_VISIBLE_DEVICES empty?); use "
        "--device cpu");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<c10::Device> ChooseDevice(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::DeviceType::CPU);
  const absl::Status loaded = LoadCuda();
  if (loaded.ok()) return c10::Device(c10::DeviceType::CUDA, 0);
  if (name == "auto") return c10::Device(c10::DeviceType::CPU);
  return loaded;
}

}  // namespace fpo::train
