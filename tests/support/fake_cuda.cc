// A libcuda.so.1 for tests. The file that FPO_FAKE_CUDA names says what it is: "13000 0 2": newest
// CUDA version, what cuInit returns, number of devices.
#include <cstdio>
#include <cstdlib>

namespace {

struct Fake {
  int version = 0, init = 999, count = 0;
};

Fake Read() {
  Fake fake;
  const char* path = getenv("FPO_FAKE_CUDA");
  FILE* file = path == nullptr ? nullptr : fopen(path, "r");
  if (file == nullptr) return fake;
  if (fscanf(file, "%d %d %d", &fake.version, &fake.init, &fake.count) != 3) fake.init = 999;
  fclose(file);
  return fake;
}

}  // namespace

extern "C" {
int cuDriverGetVersion(int* version) {
  *version = Read().version;
  return 0;
}
int cuInit(unsigned) { return Read().init; }
int cuDeviceGetCount(int* count) {
  *count = Read().count;
  return 0;
}
int cuGetErrorName(int code, const char** name) {
  *name = code == 803 ? "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" : "CUDA_ERROR_UNKNOWN";
  return 0;
}
}
