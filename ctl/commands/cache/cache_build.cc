#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "ctl/commands/cache/cache_commands.h"
#include "ctl/jobs/follow_job.h"
#include "ctl/jobs/job_source.h"
#include "ctl/jobs/submit_once.h"
#include "ctl/jobs/sweep_plan.h"
#include "ctl/rpc/request_id.h"
#include "ctl/show/job_display.h"

namespace fpo::ctl {

absl::StatusOr<ExitCode> RunCacheBuild(Session& session) {
  const Invocation& invocation = session.invocation;
  const std::string file = invocation.Get("FILE");
  FPO_ASSIGN_OR_RETURN(const LoadedJob job,
                       LoadJobSource(session.environment, file, invocation.GetAll("set")));
  const JobConfig& config = job.config;
  if (config.reference.source != "cached") {
    return WithErrorInfo(
        absl::FailedPreconditionError(absl::StrCat(file,
                                                   " asks the reference for nothing that is "
                                                   "kept: reference.source is ",
                                                   config.reference.source)),
        {.reason = "NOTHING_TO_BUILD", .hint = "methods fpo, dpo and ln_dpo use records"});
  }
  fpo::v1::SubmitRequest request = RequestFor(session, ReferenceJobOf(config));
  request.set_request_id(invocation.Has("request-id") ? invocation.Get("request-id")
                                                      : NewRequestId());
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(
      const fpo::v1::SubmitResponse response,
      SubmitOnce(session, coordinator, request, AgainHint(session, request.request_id())));
  PrintWarnings(session, WordsAbout(job, file));
  PrintSubmitted(session, response);
  if (!invocation.Has("wait")) return ExitCode::kOk;
  const std::unique_ptr<JobDisplay> display = MakeDisplay(session);
  return FollowJob(session, coordinator, {.job_id = response.job_id(), .answered = true}, *display);
}

}  // namespace fpo::ctl
