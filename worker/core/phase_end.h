#pragma once

#include <string>

namespace fpo::worker {

// How a phase of an attempt ended.
struct PhaseEnd {
  std::string end_class = "done";  // done | invalid | memory | program | infrastructure | asked
  std::string message;             // of a good end too, where the user should know something
  bool host_fault = false;         // it may be unable to run any job: see CheckHost

  bool ok() const { return end_class == "done"; }
};

}  // namespace fpo::worker
