#include "worker/core/device/nvml.h"

#include <dlfcn.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

// The part of nvml.h in use, whose binary interface NVIDIA keeps stable under these names.
using NvmlDevice = void*;
struct NvmlMemory {
  unsigned long long total, free, used;
};
constexpr int kSuccess = 0;
constexpr unsigned kTextBytes = 96;

}  // namespace

struct Nvml::Functions {
  void* library = nullptr;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*driver)(char*, unsigned) = nullptr;
  int (*count)(unsigned*) = nullptr;
  int (*device)(unsigned, NvmlDevice*) = nullptr;
  int (*name)(NvmlDevice, char*, unsigned) = nullptr;
  int (*uuid)(NvmlDevice, char*, unsigned) = nullptr;
  int (*memory)(NvmlDevice, NvmlMemory*) = nullptr;
  const char* (*error)(int) = nullptr;
  bool started = false;

  ~Functions() {
    if (started) shutdown();
    if (library != nullptr) dlclose(library);
  }
  template <typename Function>
  absl::Status Load(const char* symbol, Function* function) {
    *function = reinterpret_cast<Function>(dlsym(library, symbol));
    if (*function != nullptr) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat("NVML has no ", symbol));
  }
  absl::Status LoadAll() {
    FPO_RETURN_IF_ERROR(Load("nvmlInit_v2", &init));
    FPO_RETURN_IF_ERROR(Load("nvmlShutdown", &shutdown));
    FPO_RETURN_IF_ERROR(Load("nvmlSystemGetDriverVersion", &driver));
    FPO_RETURN_IF_ERROR(Load("nvmlDeviceGetCount_v2", &count));
    FPO_RETURN_IF_ERROR(Load("nvmlDeviceGetHandleByIndex_v2", &device));
    FPO_RETURN_IF_ERROR(Load("nvmlDeviceGetName", &name));
    FPO_RETURN_IF_ERROR(Load("nvmlDeviceGetUUID", &uuid));
    FPO_RETURN_IF_ERROR(Load("nvmlDeviceGetMemoryInfo", &memory));
    return Load("nvmlErrorString", &error);
  }
  absl::Status Check(int code, const char* what) const {
    if (code == kSuccess) return absl::OkStatus();
    const char* words = error(code);
    return absl::UnavailableError(
        absl::StrCat(what, ": ", words == nullptr ? "unknown error" : words, " (", code, ")"));
  }
};

Nvml::Nvml(std::unique_ptr<Functions> functions) : functions_(std::move(functions)) {}
Nvml::~Nvml() = default;

absl::StatusOr<std::unique_ptr<Nvml>> Nvml::Open(const std::string& library) {
  auto functions = std::make_unique<Functions>();
  functions->library = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (functions->library == nullptr) {
    const char* why = dlerror();
    return absl::NotFoundError(why == nullptr ? library : why);
  }
  FPO_RETURN_IF_ERROR(functions->LoadAll());
  FPO_RETURN_IF_ERROR(functions->Check(functions->init(), "nvmlInit"));
  functions->started = true;
  return std::unique_ptr<Nvml>(new Nvml(std::move(functions)));
}

absl::StatusOr<std::vector<Device>> Nvml::Read() {
  const Functions& nvml = *functions_;
  char text[kTextBytes] = "";
  FPO_RETURN_IF_ERROR(nvml.Check(nvml.driver(text, kTextBytes), "the driver's version"));
  const std::string driver = text;
  unsigned count = 0;
  FPO_RETURN_IF_ERROR(nvml.Check(nvml.count(&count), "the number of devices"));
  std::vector<Device> devices;
  for (unsigned index = 0; index < count; ++index) {
    NvmlDevice handle = nullptr;
    NvmlMemory memory = {};
    Device device;
    device.index = static_cast<int32_t>(index);
    device.driver = driver;
    FPO_RETURN_IF_ERROR(nvml.Check(nvml.device(index, &handle), "a device"));
    FPO_RETURN_IF_ERROR(nvml.Check(nvml.name(handle, text, kTextBytes), "a device's name"));
    device.name = text;
    FPO_RETURN_IF_ERROR(nvml.Check(nvml.uuid(handle, text, kTextBytes), "a device's UUID"));
    device.uuid = text;
    FPO_RETURN_IF_ERROR(nvml.Check(nvml.memory(handle, &memory), "a device's memory"));
    device.memory_bytes = static_cast<int64_t>(memory.total);
    device.used_bytes = static_cast<int64_t>(memory.used);
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace fpo::worker
