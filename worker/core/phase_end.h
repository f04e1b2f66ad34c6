#pragma once

#include <string>

#include "common/values/end_class.h"

namespace fpo::worker {

// How a phase of an attempt ended.
struct PhaseEnd {
  EndClass end_class = EndClass::kDone;
  std::string message;      // also of a success, if the user should know something
  bool host_fault = false;  // it may be unable to run any job: see CheckHost

  bool ok() const { return end_class == EndClass::kDone; }
};

}  // namespace fpo::worker
