#include "train/device/cuda_driver.h"

#include <dlfcn.h>
#include <fcntl.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/file_descriptor.h"
#include "common/nvidia.h"

namespace fpo::train {
namespace {

// LibTorch 2.11 is built with CUDA 13.0, whose libraries refuse an older driver.
constexpr int kCudaNeeded = 13000;
constexpr char kDriverNeeded[] = "580";

// Codes of cuInit in cuda.h whose cause is known.
constexpr int kNoDevice = 100;
constexpr int kSystemNotReady = 802;
constexpr int kDriverMismatch = 803;
constexpr int kUnknownError = 999;

std::string CudaText(int version) { return absl::StrCat(version / 1000, ".", version % 1000 / 10); }

std::string FirstDenied(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    const FileDescriptor opened(open(file.c_str(), O_RDWR | O_CLOEXEC));
    if (opened.get() < 0 && (errno == EACCES || errno == EPERM)) return file;
  }
  return "";
}

// The library stays open: LibTorch uses it too.
void AskLibrary(void* library, CudaDriver* driver) {
  using Version = int (*)(int*);
  using Init = int (*)(unsigned);
  using Count = int (*)(int*);
  using Name = int (*)(int, const char**);
  const auto version = reinterpret_cast<Version>(dlsym(library, "cuDriverGetVersion"));
  const auto init = reinterpret_cast<Init>(dlsym(library, "cuInit"));
  const auto count = reinterpret_cast<Count>(dlsym(library, "cuDeviceGetCount"));
  const auto name = reinterpret_cast<Name>(dlsym(library, "cuGetErrorName"));
  if (version == nullptr || init == nullptr || count == nullptr) {
    driver->library_problem = "it is not NVIDIA's library: cuInit is missing";
    return;
  }
  version(&driver->cuda_version);
  driver->init = init(0);
  if (driver->init == 0) driver->init = count(&driver->devices);
  const char* text = nullptr;
  if (driver->init != 0 && name != nullptr && name(driver->init, &text) == 0 && text != nullptr) {
    driver->init_name = text;
  }
}

std::string InitRemedy(const CudaDriver& driver) {
  if (!driver.denied.empty()) {
    return absl::StrCat(driver.denied,
                        " may not be opened by this user: add the user to the group that owns it "
                        "(ls -l /dev/nvidia*), or give the device to the container or the job");
  }
  if (!driver.has_memory_device) {
    return "/dev/nvidia-uvm is missing: run nvidia-modprobe -u -c=0 on the host";
  }
  switch (driver.init) {
    case kNoDevice:
      return "the driver is loaded and finds no GPU: look at nvidia-smi and dmesg on the host";
    case kSystemNotReady:
      return "start nvidia-fabricmanager on the host";
    case kDriverMismatch:
      return "the driver's library and kernel module are of different versions: reboot the host, "
             "or take the library out of the container image";
    case kUnknownError:
      return "reload the driver's kernel modules or reboot the host";
    default:
      return "look at nvidia-smi and dmesg on the host";
  }
}

}  // namespace

CudaDriver AskCudaDriver(const CudaDriverPlace& place) {
  CudaDriver driver;
  driver.device_files = NvidiaDeviceFiles(place.dev);
  driver.version = NvidiaDriverVersion(place.version_file);
  if (driver.device_files.empty()) return driver;
  driver.denied = FirstDenied(driver.device_files);
  std::error_code error;
  driver.has_memory_device = std::filesystem::exists(place.dev + "/nvidia-uvm", error) ||
                             std::filesystem::exists(place.dev + "/dxg", error);
  void* const library = dlopen(place.library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = dlerror();
    driver.library_problem = why == nullptr ? place.library : why;
  } else {
    AskLibrary(library, &driver);
  }
  return driver;
}

absl::Status CudaDriverProblem(const CudaDriver& driver,
                               const std::optional<std::string>& visible_devices) {
  const auto problem = [](auto... words) {
    return absl::FailedPreconditionError(absl::StrCat(words...));
  };
  if (driver.device_files.empty()) {
    return problem("no NVIDIA driver on this machine (neither /dev/nvidiactl nor /dev/nvidia0)");
  }
  if (HidesEveryGpu(visible_devices)) {
    return problem("CUDA_VISIBLE_DEVICES=", *visible_devices, " hides every GPU");
  }
  if (!driver.library_problem.empty()) {
    return problem("the driver's device files are here (", absl::StrJoin(driver.device_files, ", "),
                   "), but its library does not load: ", driver.library_problem,
                   "; install the driver's libcuda1, or start the container with NVIDIA's "
                   "container toolkit (docker run --gpus)");
  }
  if (driver.cuda_version < kCudaNeeded) {
    return problem("the driver", driver.version.empty() ? "" : " ", driver.version,
                   " is too old: it supports CUDA ", CudaText(driver.cuda_version),
                   ", and LibTorch needs CUDA ", CudaText(kCudaNeeded), "; install driver ",
                   kDriverNeeded, " or newer");
  }
  if (driver.init != 0) {
    return problem(
        "the driver does not start: ", driver.init_name.empty() ? "error" : driver.init_name, " (",
        driver.init, "); ", InitRemedy(driver));
  }
  if (driver.devices == 0) {
    return visible_devices.has_value()
               ? problem("CUDA_VISIBLE_DEVICES=", *visible_devices, " names no GPU of this host")
               : problem("the driver shows no GPU; ", InitRemedy(driver));
  }
  return absl::OkStatus();
}

std::string CudaDriverText(const CudaDriver& driver) {
  std::vector<std::string> parts;
  if (!driver.version.empty()) parts.push_back("driver " + driver.version);
  if (driver.cuda_version > 0) parts.push_back("CUDA " + CudaText(driver.cuda_version));
  return absl::StrJoin(parts, ", ");
}

}  // namespace fpo::train
