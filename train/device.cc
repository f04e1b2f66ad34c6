#include "train/device.h"

#include <dlfcn.h>

#include <ATen/ops/ones.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/core/impl/alloc_cpu.h>
#include <c10/util/env.h>

#include <filesystem>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/nvidia.h"
#include "common/status_macros.h"
#include "train/cuda/cuda_library.h"
#include "train/cuda_settings.h"
#include "train/events/exit_status.h"
#include "train/torch_status.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

absl::Status NoCuda(absl::string_view what) {
  return FailWith(ExitCode::kDevice, absl::StrCat("device cuda: ", what, "; use --device cpu"));
}

// The folder of libc10.so, which also holds the other LibTorch libraries.
std::string TorchFolder() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&c10::alloc_cpu), &info) == 0 || info.dli_fname == nullptr) {
    return "";
  }
  return fs::path(info.dli_fname).parent_path().string();
}

std::string ProgramFolder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path().string();
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

// Empty: LibTorch's CUDA half is loaded.
std::string LibraryProblem() {
  const std::string library = TorchFolder() + "/libtorch_cuda.so";
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) return "";
  const char* why = dlerror();
  return absl::StrCat("LibTorch's CUDA library does not load: ", why == nullptr ? library : why,
                      "; scripts/setup.sh --cuda fetches what it needs");
}

absl::Status LoadCuda() {
  const std::string problem = LibraryProblem();
  if (!problem.empty()) return NoCuda(problem);
  UseExactCudaArithmetic();
  const c10::impl::VirtualGuardImpl cuda(c10::DeviceType::CUDA);
  if (cuda.deviceCount() > 0) return absl::OkStatus();
  const absl::Status why = WhyNoDevices();
  return NoCuda(
      absl::StrCat("LibTorch finds no GPU", why.ok() ? "" : absl::StrCat(": ", why.message())));
}

}  // namespace

absl::StatusOr<DeviceChoice> ChooseDevice(const std::string& name, const CudaDriverPlace& place) {
  DeviceChoice choice;
  if (name == "cpu") return choice;
  SetCudaEnvironment();  // the driver reads it
  const std::optional<std::string> visible = c10::utils::get_env("CUDA_VISIBLE_DEVICES");
  const CudaDriver driver = AskCudaDriver(place);
  const absl::Status problem = CudaDriverProblem(driver, visible);
  absl::Status usable = problem.ok() ? LoadCuda() : NoCuda(problem.message());
  if (usable.ok()) {
    choice.device = c10::Device(c10::DeviceType::CUDA, 0);
    return choice;
  }
  const bool no_gpu = driver.device_files.empty() || HidesEveryGpu(visible);
  if (name != "auto" || !no_gpu) return usable;
  choice.why_not_cuda = std::string(usable.message());
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

std::string DeviceReport(const CudaDriverPlace& place) {
  SetCudaEnvironment();
  const CudaDriver driver = AskCudaDriver(place);
  const absl::Status problem =
      CudaDriverProblem(driver, c10::utils::get_env("CUDA_VISIBLE_DEVICES"));
  const std::string found =
      absl::StrCat(CudaDriverText(driver), ", ", driver.devices, " visible GPUs");
  const std::string libraries = LibraryProblem();
  const std::string kernels = libraries.empty() ? CudaLibraryProblem() : "";
  // It needs what LibTorch's CUDA half brings, so it is tried after that.
  const std::string plugin = ProgramFolder() + "/libfpo_nccl.so";
  const bool nccl = libraries.empty() && dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr;
  const char* why = nccl || !libraries.empty() ? nullptr : dlerror();
  return absl::StrCat(
      "driver:    ", problem.ok() ? found : std::string(problem.message()),
      "\nlibraries: ", libraries.empty() ? "LibTorch's CUDA library loads" : libraries,
      "\nkernels:   ",
      libraries.empty() ? (kernels.empty() ? "load" : kernels) : "not tried without the libraries",
      "\nNCCL:      ",
      nccl             ? "loads"
      : why == nullptr ? "not tried without the libraries"
                       : why,
      "\n");
}

}  // namespace fpo::train
