#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace fpo::coordinator {

// A call that changed something or was refused.
struct AuditEntry {
  uint64_t cursor = 0;  // grows from 1
  absl::Time time = {};
  std::string who = {};     // name of the caller if known, else the name it gave, else its address
  std::string method = {};  // of the Coordinator service
  std::string target = {};  // job id or worker
  std::string result = {};  // OK, or the name of the status code
  std::string detail = {};  // what was requested, or why it was refused
  std::string request_id = {};

  bool operator==(const AuditEntry&) const = default;
};

}  // namespace fpo::coordinator
