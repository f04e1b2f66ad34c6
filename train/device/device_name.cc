#include "train/device/device_name.h"

#include <dlfcn.h>

#include <fstream>
#include <iterator>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "train/device/cuda_driver.h"

namespace fpo::train {
namespace {

// The driver's library is here when a device of it is in use; its ordinals are those of
// CUDA_VISIBLE_DEVICES, as LibTorch's are.
std::string CudaName(int ordinal) {
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return "";
  using Init = int (*)(unsigned);
  using GetDevice = int (*)(int*, int);
  using GetName = int (*)(char*, int, int);
  const auto init = reinterpret_cast<Init>(dlsym(driver, "cuInit"));
  const auto get_device = reinterpret_cast<GetDevice>(dlsym(driver, "cuDeviceGet"));
  const auto get_name = reinterpret_cast<GetName>(dlsym(driver, "cuDeviceGetName"));
  if (init == nullptr || get_device == nullptr || get_name == nullptr) return "";
  int device = 0;
  char name[256] = {};
  if (init(0) != 0 || get_device(&device, ordinal) != 0) return "";
  return get_name(name, sizeof(name) - 1, device) == 0 ? name : "";
}

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return ProcessorName(text);
}

}  // namespace

std::string DeviceName(c10::Device device) {
  const std::string name =
      device.is_cuda() ? CudaName(device.has_index() ? device.index() : 0) : CpuName();
  if (!name.empty()) return name;
  return device.is_cuda() ? "cuda" : "cpu";
}

EventTexts DeviceTexts(c10::Device device) {
  EventTexts texts = {{"device_name", DeviceName(device)}};
  if (!device.is_cuda()) return texts;
  const std::string driver = CudaDriverText(AskCudaDriver());
  if (!driver.empty()) texts["device_driver"] = driver;
  return texts;
}

std::string DeviceDescription(c10::Device device) {
  const EventTexts texts = DeviceTexts(device);
  const auto driver = texts.find("device_driver");
  return driver == texts.end() ? texts.at("device_name")
                               : absl::StrCat(texts.at("device_name"), " (", driver->second, ")");
}

std::string ProcessorName(absl::string_view cpuinfo) {
  for (const absl::string_view line : absl::StrSplit(cpuinfo, '\n')) {
    if (!absl::StartsWith(line, "model name")) continue;
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (parts.size() == 2) return std::string(absl::StripAsciiWhitespace(parts[1]));
  }
  return "";
}

}  // namespace fpo::train
