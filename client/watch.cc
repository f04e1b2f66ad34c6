#include "client/commands.h"
#include "client/follow_job.h"
#include "client/job_display.h"
#include "common/status_macros.h"

namespace fpo::client {
namespace {

// A name or the beginning of an id is looked up once, so that a newer job of that name does not
// take over.
absl::StatusOr<std::string> FindJobId(Session& session, CoordinatorClient& coordinator) {
  FPO_ASSIGN_OR_RETURN(const fpo::v1::GetJobResponse response,
                       coordinator.GetJob(session.invocation.Get("JOB")));
  return response.job().job_id();
}

}  // namespace

absl::StatusOr<ExitCode> RunWatch(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const std::string job_id, FindJobId(session, coordinator));
  const std::unique_ptr<JobDisplay> display = MakeDisplay(session);
  return FollowJob(session, coordinator, {.job_id = job_id, .answered = true}, *display);
}

absl::StatusOr<ExitCode> RunWait(Session& session) {
  FollowRequest request;
  request.answered = true;
  request.stream_json = false;
  const std::optional<absl::Duration> timeout = session.invocation.GetDuration("timeout");
  if (timeout) request.deadline = absl::Now() + *timeout;
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(request.job_id, FindJobId(session, coordinator));
  SilentDisplay display;
  return FollowJob(session, coordinator, request, display);
}

}  // namespace fpo::client
