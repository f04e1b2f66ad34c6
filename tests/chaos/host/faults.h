#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace fpo::testing {

// What fault_shim.c, preloaded into a program, does to it. The file outlives the program.
class Faults {
 public:
  // Why a program cannot be given the faults; empty: it can.
  static std::string Missing();
  explicit Faults(const std::string& path);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // For the environment of the program.
  std::vector<std::string> Environment() const;
  // Whether the program can be given the faults: a test of faults that do not happen passes.
  bool IsLoadedBy(pid_t program) const;
  void ShiftClock(int64_t seconds);  // of the wall clock, against the true one
  void StallDisk(bool stalls);       // what waits for its disk waits until this is false

 private:
  const std::string path_;
  volatile int64_t* words_;
};

}  // namespace fpo::testing
