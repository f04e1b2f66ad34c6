#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fpo::testing {

// What fault_shim.c, preloaded into a program, does to it. The file outlives the program.
class Faults {
 public:
  explicit Faults(const std::string& path);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // For the environment of the program.
  std::vector<std::string> Environment() const;
  void ShiftClock(int64_t seconds);  // of the wall clock, against the true one
  void StallDisk(bool stalls);       // whoever waits for its disk goes on waiting

 private:
  const std::string path_;
  volatile int64_t* words_;
};

}  // namespace fpo::testing
