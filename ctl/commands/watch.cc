#include "common/status_macros.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/each_job.h"
#include "ctl/jobs/follow_job.h"
#include "ctl/show/job_display.h"

namespace fpo::ctl {

absl::StatusOr<ExitCode> RunWatch(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  // A name is looked up once, so that a newer job of that name does not take over.
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> ids, FindJobIds(session, coordinator));
  const std::unique_ptr<JobDisplay> display = MakeDisplay(session);
  return FollowJob(session, coordinator, {.job_id = ids.front(), .answered = true}, *display);
}

absl::StatusOr<ExitCode> RunWait(Session& session) {
  FollowRequest request;
  request.answered = true;
  request.stream_json = false;
  const std::optional<absl::Duration> timeout = session.invocation.GetDuration("timeout");
  if (timeout) request.deadline = absl::Now() + *timeout;
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> ids, FindJobIds(session, coordinator));
  return ForEachJob(session, ids, [&](const std::string& id) {
    request.job_id = id;
    SilentDisplay display;
    return FollowJob(session, coordinator, request, display);
  });
}

}  // namespace fpo::ctl
