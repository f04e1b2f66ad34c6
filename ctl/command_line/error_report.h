#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo::ctl {

// A failed command on stderr: "error: what failed; hint: the next command", one line. The problems
// of a job file (reason INVALID_JOB) come before it, one per line, as compilers print them.
std::string ErrorText(const absl::Status& error);

// The same for programs: {"code":"NOT_FOUND","reason":...,"message":...,"field":...,"hint":...},
// one line.
std::string ErrorJson(const absl::Status& error);

// One of the two, by `json`.
std::string ErrorReport(const absl::Status& error, bool json);

// The hint of an error: the server's own, else one by its code (ctl/command_line/hint.h).
std::string HintOf(const absl::Status& error);

// The same error with its hint written out; a hint that repeats what was just typed (the words
// after "fpoctl") is replaced.
absl::Status WithUsefulHint(const absl::Status& error, const std::vector<std::string>& typed);

// A warning on stderr: "warning: TEXT", or {"warning":"TEXT"}.
std::string WarningReport(absl::string_view text, bool json);

}  // namespace fpo::ctl
