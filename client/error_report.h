#pragma once

#include <string>

#include "absl/status/status.h"

namespace fpo::client {

// A failed command on stderr: "error: what failed; hint: the next command", one line. The problems
// of a job file (reason INVALID_JOB) stand one a line before it, as compilers print them.
std::string ErrorText(const absl::Status& error);

// The same for programs: {"code":"NOT_FOUND","reason":...,"message":...,"field":...,"hint":...},
// one line.
std::string ErrorJson(const absl::Status& error);

// One of the two.
std::string ErrorReport(const absl::Status& error, bool json);

// The hint that belongs to an error: the server's own, else one by its code.
std::string HintOf(const absl::Status& error);

}  // namespace fpo::client
