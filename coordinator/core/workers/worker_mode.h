#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fpo::coordinator {

// Whether a worker takes jobs; set by an operator and persisted across restarts.
struct WorkerMode {
  enum class Kind { kOpen, kCordoned, kDraining };
  Kind kind = Kind::kOpen;  // cordoned: running jobs continue; draining: they move elsewhere
  std::string note;         // why, for people
  bool automatic = false;   // set by the coordinator itself until the worker proves healthy

  bool operator==(const WorkerMode&) const = default;
};

}  // namespace fpo::coordinator
