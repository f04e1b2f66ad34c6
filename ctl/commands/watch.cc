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

absl::StatusOr<ExitCode> RunWatch(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  // A name is looked up once, so that a newer job of that name does not take over.
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> ids, FindJobIds(session, coordinator));
  const std::unique_ptr<JobDisplay> display = MakeDisplay(session);
  return FollowJob(session, coordinator, {.job_id = ids.front(), .answered = true}, *display);
}

}  // namespace

CommandSpec WatchCommand() {
  CommandSpec c{"watch", "look", "follow a job's progress to its end"};
  c.details =
      "On a terminal one block that is redrawn; on a pipe one line per state or phase change and "
      "at most one progress line in 30 s. A lost connection is retried for 60 s. Ctrl-C "
      "only stops watching.";
  c.arguments = {JobArgument()};
  c.examples = {{"fpoctl watch j-4f2a", "live progress; the exit code is the job's"},
                {"fpoctl watch j-4f2a --json", "every change as one JSON object per line"}};
  c.json = {"WatchJobResponse"};
  c.run = RunWatch;
  return c;
}

}  // namespace fpo::ctl
