#include "common/clock.h"
#include "common/status_macros.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/each_job.h"
#include "ctl/jobs/follow_job.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/job_display.h"

namespace fpo::ctl {
namespace {

absl::StatusOr<ExitCode> RunWait(Session& session) {
  FollowRequest request;
  request.answered = true;
  request.stream_json = false;
  const std::optional<absl::Duration> timeout = session.invocation.GetDuration("timeout");
  if (timeout) request.deadline = BootNow() + *timeout;
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> ids, FindJobIds(session, coordinator));
  return ForEachJob(session, ids, [&](const std::string& id) {
    request.job_id = id;
    SilentDisplay display;
    return FollowJob(session, coordinator, request, display);
  });
}

}  // namespace

CommandSpec WaitCommand() {
  CommandSpec c{"wait", "look", "wait for the end of jobs"};
  c.details =
      "Exit code: 0 SUCCEEDED, 10 FAILED, 11 CANCELLED, 12 still running at --timeout; of several "
      "jobs the first that is not 0.";
  c.arguments = {JobsArgument()};
  c.options = {
      {"timeout", "", ValueKind::kDuration, "DURATION", "give up after this long, e.g. 90s or 2h"}};
  c.examples = {{"fpoctl wait j-4f2a --timeout 2h && ./publish.sh", "continue only after success"},
                {"fpoctl wait beta-1 beta-2", "until both have ended"}};
  c.json = {"WatchJobResponse"};
  c.run = RunWait;
  return c;
}

}  // namespace fpo::ctl
