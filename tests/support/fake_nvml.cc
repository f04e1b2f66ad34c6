// A libnvidia-ml.so with two GPUs; what they have in use, in MiB, stands in the file that
// FPO_FAKE_NVML names: "300 40000". "broken" there: no driver. GPU 0 measures everything and has
// reported one XID error, GPU 1 knows nothing but its utilisation.
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

struct Memory {
  unsigned long long total, free, used;
};

bool Used(unsigned long long used[2]) {
  const char* path = getenv("FPO_FAKE_NVML");
  FILE* file = path == nullptr ? nullptr : fopen(path, "r");
  if (file == nullptr) return false;
  const bool read = fscanf(file, "%llu %llu", &used[0], &used[1]) == 2;
  fclose(file);
  return read;
}

int Say(const char* format, unsigned index, char* text, unsigned length) {
  snprintf(text, length, format, index);
  return 0;
}

constexpr int kNotSupported = 3;
constexpr int kTimeout = 10;
struct Utilisation {
  unsigned gpu, memory;
};
struct Event {
  void* device;
  unsigned long long type, data;
  unsigned gpu_instance, compute_instance;
};
void* xid_of = nullptr;  // the device that has an XID to report

unsigned IndexOf(void* device) {
  return static_cast<unsigned>(reinterpret_cast<size_t>(device) - 1);
}

}  // namespace

extern "C" {
int nvmlInit_v2() {
  unsigned long long used[2];
  return Used(used) ? 0 : 9;
}
int nvmlShutdown() { return 0; }
int nvmlSystemGetDriverVersion(char* text, unsigned length) {
  return Say("550.54.%u", 15, text, length);
}
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = reinterpret_cast<void*>(static_cast<size_t>(index) + 1);
  return 0;
}
int nvmlDeviceGetName(void*, char* text, unsigned length) {
  return Say("Fake GPU %uGB", 80, text, length);
}
int nvmlDeviceGetUUID(void* device, char* text, unsigned length) {
  return Say("GPU-%08u", IndexOf(device), text, length);
}
int nvmlDeviceGetMemoryInfo(void* device, Memory* memory) {
  unsigned long long used[2];
  if (!Used(used)) return 9;
  memory->total = 80ull << 30;
  memory->used = used[IndexOf(device)] << 20;
  memory->free = memory->total - memory->used;
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, Utilisation* use) {
  use->gpu = IndexOf(device) == 0 ? 97 : 3;
  use->memory = 40;
  return 0;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) {
  *milliwatts = 412'500;
  return IndexOf(device) == 0 ? 0 : kNotSupported;
}
int nvmlDeviceGetEnforcedPowerLimit(void* device, unsigned* milliwatts) {
  *milliwatts = 700'000;
  return IndexOf(device) == 0 ? 0 : kNotSupported;
}
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned* celsius) {
  *celsius = 61;
  return IndexOf(device) == 0 && sensor == 0 ? 0 : kNotSupported;
}
int nvmlDeviceGetClockInfo(void* device, int clock, unsigned* megahertz) {
  *megahertz = 1980;
  return IndexOf(device) == 0 && clock == 1 ? 0 : kNotSupported;
}
int nvmlDeviceGetTotalEccErrors(void* device, int kind, int since, unsigned long long* count) {
  *count = static_cast<unsigned long long>(10 * kind + since);
  return IndexOf(device) == 0 ? 0 : kNotSupported;
}
int nvmlDeviceGetRemappedRows(void* device, unsigned* corrected, unsigned* uncorrected,
                              unsigned* pending, unsigned* failed) {
  *corrected = 2;
  *uncorrected = 1;
  *pending = 1;
  *failed = 0;
  return IndexOf(device) == 0 ? 0 : kNotSupported;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* device, unsigned long long* reasons) {
  *reasons = 0x40 | 0x01;  // heat, and idle
  return IndexOf(device) == 0 ? 0 : kNotSupported;
}
int nvmlEventSetCreate(void** set) {
  *set = &xid_of;
  return 0;
}
int nvmlEventSetFree(void*) { return 0; }
int nvmlDeviceRegisterEvents(void* device, unsigned long long, void*) {
  if (IndexOf(device) != 0) return kNotSupported;
  xid_of = device;
  return 0;
}
int nvmlEventSetWait_v2(void*, Event* event, unsigned) {
  if (xid_of == nullptr) return kTimeout;
  *event = {xid_of, 8, 79, 0, 0};
  xid_of = nullptr;
  return 0;
}
const char* nvmlErrorString(int code) { return code == 9 ? "Driver Not Loaded" : "?"; }
}
