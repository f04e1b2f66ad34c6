// A libnvidia-ml.so with two GPUs; what they have in use, in MiB, stands in the file that
// FPO_FAKE_NVML names: "300 40000". "broken" there: no driver.
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
const char* nvmlErrorString(int code) { return code == 9 ? "Driver Not Loaded" : "?"; }
}
