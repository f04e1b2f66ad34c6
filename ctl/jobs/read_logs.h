#pragma once

#include "absl/status/statusor.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {

// Prints the lines that `request` names, each once, over lost connections. Followed, the exit code
// is the job's; Ctrl-C stops the reading alone.
absl::StatusOr<ExitCode> ReadLogs(Session& session, CoordinatorClient& coordinator,
                                  const fpo::v1::LogsRequest& request);

}  // namespace fpo::ctl
