#pragma once

#include <c10/core/Device.h>

#include <map>
#include <string>

#include "absl/time/time.h"

namespace fpo::train {

// Seconds of the parts of a training step, for `run --measure`. A device computes after the host
// has asked for it, so the end of a part waits for the device; switched off, nothing waits and
// nothing is reported. Not thread-safe.
class PartTimes {
 public:
  PartTimes(c10::Device device, bool on) : device_(device), on_(on) {}

  void Start();                       // of a step: forgets the previous one
  void End(const std::string& part);  // adds the time since the previous end to `part`
  const std::map<std::string, double>& seconds() const { return seconds_; }

 private:
  absl::Time Settled() const;  // now, with the device idle

  c10::Device device_;
  bool on_;
  absl::Time previous_;
  std::map<std::string, double> seconds_;
};

}  // namespace fpo::train
