#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace fpo::worker {

// Where an agent lives. It tells an agent that was restarted from another one of the same name.
struct Home {
  std::string id;       // of the work dir: made once, kept in it; a copy of the folder has another
  std::string boot_id;  // of the host since it started: copies of a machine differ in it
};

// The error of a work dir that cannot be written.
absl::StatusOr<Home> OpenHome(const std::string& work_dir);

}  // namespace fpo::worker
