#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace fpo::ctl {

// The speed of a phase, from the progress reports of the last minute. Not thread-safe.
class ProgressRate {
 public:
  // A report: `done` units of `phase` at `time`. Another phase, or fewer units than before (a new
  // attempt), starts over.
  void Add(const std::string& phase, int64_t done, absl::Time time);
  // Units per second; nullopt before two reports with progress between them.
  std::optional<double> PerSecond() const;

 private:
  struct Sample {
    int64_t done;
    absl::Time time;
  };
  std::string phase_;
  std::deque<Sample> samples_;
};

}  // namespace fpo::ctl
