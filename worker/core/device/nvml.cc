#include "worker/core/device/nvml.h"

#include <dlfcn.h>

#include <array>
#include <map>
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
struct NvmlLoad {
  unsigned gpu, memory;  // per cent
};
struct NvmlEvent {
  NvmlDevice device;
  unsigned long long type, data;
  unsigned gpu_instance, compute_instance;
};
using NvmlEventSet = void*;
constexpr int kSuccess = 0;
constexpr unsigned kTextBytes = 96;
constexpr int kCoreTemperature = 0;
constexpr int kSmClock = 1;
constexpr unsigned long long kXidEvent = 8;
constexpr int kXidsAtOnce = 1000;

// Bits of the reasons for which clocks are lower than they could be. An idle GPU, and clocks that
// an administrator set, are no fault and not among them.
constexpr std::pair<unsigned long long, const char*> kThrottleReasons[] = {
    {0x04, "power_cap"},
    {0x08, "hardware_slowdown"},
    {0x20, "temperature_software"},
    {0x40, "temperature_hardware"},
    {0x80, "power_brake"},
};

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
  // Null where the driver is too old for it.
  int (*utilisation)(NvmlDevice, NvmlLoad*) = nullptr;
  int (*power)(NvmlDevice, unsigned*) = nullptr;  // mW
  int (*power_limit)(NvmlDevice, unsigned*) = nullptr;
  int (*temperature)(NvmlDevice, int, unsigned*) = nullptr;
  int (*clock)(NvmlDevice, int, unsigned*) = nullptr;  // MHz
  int (*ecc_errors)(NvmlDevice, int type, int counter, unsigned long long*) = nullptr;
  int (*remapped_rows)(NvmlDevice, unsigned*, unsigned*, unsigned*, unsigned*) = nullptr;
  int (*throttle_reasons)(NvmlDevice, unsigned long long*) = nullptr;
  int (*make_events)(NvmlEventSet*) = nullptr;
  int (*free_events)(NvmlEventSet) = nullptr;
  int (*register_events)(NvmlDevice, unsigned long long, NvmlEventSet) = nullptr;
  int (*await_event)(NvmlEventSet, NvmlEvent*, unsigned milliseconds) = nullptr;
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
  template <typename Function>
  void LoadIfThere(const char* symbol, Function* function) {
    if (*function == nullptr) *function = reinterpret_cast<Function>(dlsym(library, symbol));
  }
  void LoadOptional() {
    LoadIfThere("nvmlDeviceGetUtilizationRates", &utilisation);
    LoadIfThere("nvmlDeviceGetPowerUsage", &power);
    LoadIfThere("nvmlDeviceGetEnforcedPowerLimit", &power_limit);
    LoadIfThere("nvmlDeviceGetTemperature", &temperature);
    LoadIfThere("nvmlDeviceGetClockInfo", &clock);
    LoadIfThere("nvmlDeviceGetTotalEccErrors", &ecc_errors);
    LoadIfThere("nvmlDeviceGetRemappedRows", &remapped_rows);
    LoadIfThere("nvmlDeviceGetCurrentClocksEventReasons", &throttle_reasons);
    LoadIfThere("nvmlDeviceGetCurrentClocksThrottleReasons", &throttle_reasons);  // before 535
    LoadIfThere("nvmlEventSetCreate", &make_events);
    LoadIfThere("nvmlEventSetFree", &free_events);
    LoadIfThere("nvmlDeviceRegisterEvents", &register_events);
    LoadIfThere("nvmlEventSetWait_v2", &await_event);
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

// The XID errors that the driver reported, which it does only once.
struct Nvml::Xids {
  explicit Xids(const Functions& of) : nvml(of) {
    const bool can = nvml.make_events != nullptr && nvml.free_events != nullptr &&
                     nvml.register_events != nullptr && nvml.await_event != nullptr;
    if (!can || nvml.make_events(&set) != kSuccess) set = nullptr;
  }
  ~Xids() {
    if (set != nullptr) nvml.free_events(set);
  }
  void Listen(NvmlDevice device) {
    if (set == nullptr || counts.count(device) > 0) return;
    if (nvml.register_events(device, kXidEvent, set) == kSuccess) counts[device];
  }
  void Take() {
    NvmlEvent event = {};
    for (int i = 0; i < kXidsAtOnce && set != nullptr; ++i) {
      if (nvml.await_event(set, &event, 0) != kSuccess) return;
      if (event.type == kXidEvent) ++counts[event.device][event.data];
    }
  }

  const Functions& nvml;
  NvmlEventSet set = nullptr;  // null: there are none to be had
  std::map<NvmlDevice, std::map<unsigned long long, int64_t>> counts;  // by XID
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
  functions->LoadOptional();
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

namespace {

// Adds what one device says to a list.
class DeviceSamples {
 public:
  DeviceSamples(std::string gpu, std::string uuid, std::vector<GpuSample>* samples)
      : labels_{{"gpu", std::move(gpu)}, {"uuid", std::move(uuid)}}, samples_(samples) {}

  void Add(const char* series, double value, const std::map<std::string, std::string>& more = {}) {
    GpuSample sample{series, labels_, value};
    sample.labels.insert(more.begin(), more.end());
    samples_->push_back(std::move(sample));
  }
  // `function` may be null, and the device may not know the number.
  template <typename Function>
  void AddNumber(const char* series, double unit, Function function, NvmlDevice device) {
    unsigned number = 0;
    if (function == nullptr || function(device, &number) != kSuccess) return;
    Add(series, unit * number);
  }

 private:
  const std::map<std::string, std::string> labels_;
  std::vector<GpuSample>* const samples_;
};

}  // namespace

struct Nvml::DeviceReader {
  const Functions& nvml;
  const NvmlDevice device;
  DeviceSamples* const to;

  void AddLoad() {
    NvmlLoad use = {};
    if (nvml.utilisation != nullptr && nvml.utilisation(device, &use) == kSuccess) {
      to->Add("fpo_gpu_utilisation_ratio", use.gpu / 100.0);
    }
    NvmlMemory memory = {};
    if (nvml.memory(device, &memory) == kSuccess) {
      to->Add("fpo_gpu_memory_total_bytes", static_cast<double>(memory.total));
      to->Add("fpo_gpu_memory_used_bytes", static_cast<double>(memory.used));
    }
    to->AddNumber("fpo_gpu_power_watts", 1e-3, nvml.power, device);
    to->AddNumber("fpo_gpu_power_limit_watts", 1e-3, nvml.power_limit, device);
    unsigned number = 0;
    if (nvml.temperature != nullptr &&
        nvml.temperature(device, kCoreTemperature, &number) == kSuccess) {
      to->Add("fpo_gpu_temperature_celsius", number);
    }
    if (nvml.clock != nullptr && nvml.clock(device, kSmClock, &number) == kSuccess) {
      to->Add("fpo_gpu_sm_clock_hertz", 1e6 * number);
    }
  }
  void AddThrottling() {
    unsigned long long reasons = 0;
    if (nvml.throttle_reasons == nullptr || nvml.throttle_reasons(device, &reasons) != kSuccess) {
      return;
    }
    for (const auto& [bit, name] : kThrottleReasons) {
      to->Add("fpo_gpu_throttled", (reasons & bit) != 0 ? 1 : 0, {{"reason", name}});
    }
  }
  void AddErrors() {
    const char* const kinds[] = {"corrected", "uncorrected"};
    const char* const times[] = {"driver_load", "manufacture"};
    for (int kind = 0; kind < 2 && nvml.ecc_errors != nullptr; ++kind) {
      for (int since = 0; since < 2; ++since) {
        unsigned long long count = 0;
        if (nvml.ecc_errors(device, kind, since, &count) != kSuccess) continue;
        to->Add("fpo_gpu_ecc_errors", static_cast<double>(count),
                {{"kind", kinds[kind]}, {"since", times[since]}});
      }
    }
    std::array<unsigned, 4> rows = {};
    if (nvml.remapped_rows == nullptr ||
        nvml.remapped_rows(device, &rows[0], &rows[1], &rows[2], &rows[3]) != kSuccess) {
      return;
    }
    for (int kind = 0; kind < 2; ++kind) {
      to->Add("fpo_gpu_remapped_rows", rows[static_cast<size_t>(kind)], {{"kind", kinds[kind]}});
    }
    to->Add("fpo_gpu_row_remapping_pending", rows[2]);
    to->Add("fpo_gpu_row_remapping_failed", rows[3]);
  }
};

absl::StatusOr<std::vector<GpuSample>> Nvml::Sample() {
  const Functions& nvml = *functions_;
  if (xids_ == nullptr) xids_ = std::make_unique<Xids>(nvml);
  xids_->Take();
  unsigned count = 0;
  FPO_RETURN_IF_ERROR(nvml.Check(nvml.count(&count), "the number of devices"));
  std::vector<GpuSample> samples;
  for (unsigned index = 0; index < count; ++index) {
    NvmlDevice device = nullptr;
    char uuid[kTextBytes] = "";
    // One that fell off the bus must not hide the others.
    if (nvml.device(index, &device) != kSuccess) continue;
    if (nvml.uuid(device, uuid, kTextBytes) != kSuccess) continue;
    xids_->Listen(device);
    DeviceSamples to(absl::StrCat(index), uuid, &samples);
    DeviceReader reader{nvml, device, &to};
    reader.AddLoad();
    reader.AddThrottling();
    reader.AddErrors();
    for (const auto& [xid, seen] : xids_->counts[device]) {
      to.Add("fpo_gpu_xid_errors", static_cast<double>(seen), {{"xid", absl::StrCat(xid)}});
    }
  }
  return samples;
}

}  // namespace fpo::worker
