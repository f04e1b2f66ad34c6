#include "tests/chaos/host/faults.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gtest/gtest.h"
#include "tests/integration/process.h"

namespace fpo::testing {

Faults::Faults(const std::string& path) : path_(path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_EQ(ftruncate(fd, 4096), 0);
  words_ = static_cast<volatile int64_t*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  close(fd);
}

Faults::~Faults() { munmap(const_cast<int64_t*>(words_), 4096); }

std::string Faults::Missing() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return "a sanitizer's own library must be loaded first";
#else
  return "";
#endif
}

bool Faults::IsLoadedBy(pid_t program) const {
  const std::string maps = ReadFile("/proc/" + std::to_string(program) + "/maps");
  return maps.find(path_) != std::string::npos;
}

std::vector<std::string> Faults::Environment() const {
  return {"LD_PRELOAD=" + testing::Environment("FPO_BIN_DIR") + "/libfpo_fault_shim.so",
          "FPO_FAULT_FILE=" + path_};
}

void Faults::ShiftClock(int64_t seconds) { words_[0] = seconds * 1'000'000'000; }
void Faults::StallDisk(bool stalls) { words_[1] = stalls ? 1 : 0; }

}  // namespace fpo::testing
