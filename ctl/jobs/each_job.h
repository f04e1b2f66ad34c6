#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {

// The ids of every JOB of the command line, each once. All are looked up before anything is done: a
// command never acts on another job than it found, and an unknown one changes nothing.
absl::StatusOr<std::vector<std::string>> FindJobIds(Session& session,
                                                    CoordinatorClient& coordinator);

// Acts on one job after the other. Of several jobs, the error of one is printed and the rest
// continue, except after Ctrl-C; returns the first exit code that is not ok.
absl::StatusOr<ExitCode> ForEachJob(
    Session& session, const std::vector<std::string>& ids,
    const std::function<absl::StatusOr<ExitCode>(const std::string& job_id)>& act);

}  // namespace fpo::ctl
