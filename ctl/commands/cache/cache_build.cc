#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/follow_job.h"
#include "ctl/jobs/job_source.h"
#include "ctl/jobs/submit_once.h"
#include "ctl/jobs/sweep_plan.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/request_id.h"
#include "ctl/rpc/session.h"
#include "ctl/show/job_display.h"

namespace fpo::ctl {
namespace {

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
        {.reason = ErrorReason::kNothingToBuild,
         .hint = "methods fpo, dpo and ln_dpo use records"});
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

}  // namespace

CommandSpec CacheBuildCommand() {
  CommandSpec c{"cache build", "cache", "compute the reference records of a job file in advance"};
  c.details =
      "Submits a job of kind reference with the model, SAE and data of the file. Later jobs with "
      "them find their records in the cache. Inference only: a smaller machine than for training "
      "suffices.";
  c.arguments = {{"FILE", ValueKind::kFile, "a job file, YAML or JSON"}};
  c.options = {{"set", "", ValueKind::kSetting, "KEY=VALUE",
                "change one key of the job file; may be repeated", true},
               {"wait", "", ValueKind::kFlag, "", "follow it to its end"},
               {"request-id", "", ValueKind::kText, "ID",
                "repeat an earlier build whose answer was lost (default: a new UUID)"}};
  c.examples = {{"fpoctl cache build job.yaml --wait", "then submit as many runs as you like"}};
  c.json = {"SubmitResponse", "WatchJobResponse"};
  c.run = RunCacheBuild;
  return c;
}

}  // namespace fpo::ctl
