#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/job/job_file.h"
#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/follow_job.h"
#include "ctl/jobs/namesakes.h"
#include "ctl/jobs/submit_once.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/request_id.h"
#include "ctl/rpc/session.h"
#include "ctl/show/job_display.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> RunRetry(Session& session) {
  const Invocation& invocation = session.invocation;
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse found, coordinator.GetJob(invocation.Get("JOB")));
  FPO_RETURN_IF_ERROR(NoteNamesakes(session, coordinator, found.job()));
  pb::RetryJobRequest request;
  request.set_job_id(found.job().job_id());
  request.set_from_step(invocation.GetCount("from", 0));
  request.mutable_spec()->set_owner(session.environment.user);
  const std::vector<std::string> set = invocation.GetAll("set");
  if (!set.empty()) {
    // JSON is YAML, and the reader of job files knows --set.
    const absl::StatusOr<JobConfig> config =
        ReadJobYaml(found.job().spec().config_json(), "job " + found.job().job_id(), set);
    if (!config.ok()) return WithErrorInfo(config.status(), {.reason = ErrorReason::kInvalidJob});
    request.mutable_spec()->set_config_json(WriteJobJson(*config));
  }
  request.set_request_id(invocation.Has("request-id") ? invocation.Get("request-id")
                                                      : NewRequestId());
  FPO_ASSIGN_OR_RETURN(const pb::SubmitResponse answer, coordinator.RetryJob(request));
  PrintWarnings(session, {answer.warnings().begin(), answer.warnings().end()});
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n" << std::flush;
  } else if (session.settings().quiet) {
    session.out << answer.job_id() << "\n" << std::flush;
  } else {
    session.out << "job " << answer.job_id() << " tries " << found.job().job_id() << " again\n"
                << "  follow    fpoctl watch " << answer.job_id() << "\n"
                << std::flush;
  }
  if (!invocation.Has("wait")) return ExitCode::kOk;
  const std::unique_ptr<JobDisplay> display = MakeDisplay(session);
  return FollowJob(session, coordinator, {.job_id = answer.job_id(), .answered = true}, *display);
}

}  // namespace

CommandSpec RetryCommand() {
  CommandSpec c = JobCommand("retry", "act", "retry an ended job from a checkpoint", RunRetry);
  c.details =
      "Creates a new job with the same settings and output folder, which continues from the newest "
      "checkpoint. The old job is unchanged. For jobs that FAILED or were CANCELLED.";
  c.options = {
      Within({"from", "", ValueKind::kCount, "STEP",
              "go back to the checkpoint of this step; later ones are removed"},
             1),
      {"set", "", ValueKind::kSetting, "KEY=VALUE",
       "change one key of the job that decides no number of the run, or a path to where its "
       "content is now; may be repeated",
       true},
      {"wait", "", ValueKind::kFlag, "", "follow the new job to its end"},
      {"request-id", "", ValueKind::kText, "ID",
       "repeat an earlier retry whose answer was lost (default: a new UUID)"}};
  c.json = {"SubmitResponse", "WatchJobResponse"};
  c.examples = {
      {"fpoctl retry j-4f2a", "from the newest checkpoint"},
      {"fpoctl retry j-4f2a --from 400", "from an older one"},
      {"fpoctl retry j-4f2a --set batch.tokens_per_microbatch=4096", "after running out of memory"},
      {"fpoctl retry j-4f2a --set retry.max_restarts=10", "with another limit"}};
  return c;
}

}  // namespace fpo::ctl
