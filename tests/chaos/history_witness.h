#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "proto/fpo/v1/job.pb.h"

namespace fpo::testing {

// Looks at all jobs of a coordinator again and again, across its restarts, and remembers what must
// never go back: epochs, attempts and how they ended, restarts used, terminal states. Thread-safe.
class HistoryWitness {
 public:
  explicit HistoryWitness(const std::string& address);
  ~HistoryWitness();

  // One line per violation; the witness stops looking. Says how often it looked.
  std::vector<std::string> Stop();

 private:
  void Run(const std::string& address);
  void Look(const fpo::v1::Job& job);

  std::atomic<bool> stop_ = false;
  int looks_ = 0;
  std::map<std::string, fpo::v1::Job> seen_;
  std::vector<std::string> wrong_;
  std::thread thread_;
};

}  // namespace fpo::testing
