#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/session.h"
#include "ctl/show/job_display.h"

namespace fpo::ctl {

struct FollowRequest {
  std::string job_id = {};
  bool answered = false;                    // the coordinator was just reached
  bool stream_json = true;                  // with --json: each change; else only the last
  std::optional<absl::Time> deadline = {};  // a time as BootNow
};

// Follows a job to its end, shows it on `display`, prints the summary, and returns the exit code of
// its state. kTimeout at the deadline, kInterrupted after Ctrl-C, saying how to follow again.
// NotFound and lost connections are errors.
absl::StatusOr<ExitCode> FollowJob(Session& session, CoordinatorClient& coordinator,
                                   const FollowRequest& request, JobDisplay& display);

// Says on stderr, after Ctrl-C, that the job continues, and how to follow it again (with `command`)
// and to cancel it. Returns kInterrupted.
ExitCode Interrupted(Session& session, const std::string& command, const std::string& job_id);

}  // namespace fpo::ctl
