#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace fpo::worker {

// Identifies where an agent lives, to tell a restarted agent from another one of the same name.
struct Home {
  std::string id;  // of the work dir: created once, kept in it; a copy of the folder gets another
  std::string boot_id;  // of the host's current boot: copies of a machine differ in it
};

// Fails when the work dir cannot be written.
absl::StatusOr<Home> OpenHome(const std::string& work_dir);

}  // namespace fpo::worker
