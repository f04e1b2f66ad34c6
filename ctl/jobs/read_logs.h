#pragma once

#include "absl/status/statusor.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {

// Prints the lines that `request` selects, each once, across lost connections. When following, the
// exit code is the job's; Ctrl-C only stops the reading.
absl::StatusOr<ExitCode> ReadLogs(Session& session, CoordinatorClient& coordinator,
                                  const fpo::v1::LogsRequest& request);

}  // namespace fpo::ctl
