#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "common/wire/enums.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/each_job.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> Cancel(Session& session, CoordinatorClient& coordinator,
                                const std::string& job_id) {
  pb::CancelJobRequest request;
  request.set_job_id(job_id);
  request.set_now(session.invocation.Has("now"));
  if (const auto grace = session.invocation.GetDuration("grace")) {
    request.mutable_grace()->set_seconds(
        absl::ToInt64Seconds(absl::Ceil(*grace, absl::Seconds(1))));
  }
  FPO_ASSIGN_OR_RETURN(const pb::CancelJobResponse answer, coordinator.CancelJob(request));
  const pb::Job& job = answer.job();
  // The service leaves an ended job as it is. CANCELLED is what was requested; the other states are
  // not.
  if (job.state() == pb::JOB_STATE_SUCCEEDED || job.state() == pb::JOB_STATE_FAILED) {
    const std::string& id = job.job_id();
    return WithErrorInfo(
        absl::FailedPreconditionError(absl::StrCat("job ", id, " cannot be cancelled: it is ",
                                                   TextOf(job.state()), " already")),
        {.reason = ErrorReason::kJobTerminal,
         .hint = absl::StrCat("fpoctl describe ", id),
         .ids = {id}});
  }
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << job.job_id() << "\n";
  } else {
    session.out << "job " << job.job_id() << " is " << TextOf(job.state());
    if (job.state() == pb::JOB_STATE_CANCELLING)
      session.out << "; wait for its end: fpoctl wait " << job.job_id();
    session.out << "\n";
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCancel(Session& session) {
  if (session.invocation.Has("now") && session.invocation.Has("grace")) {
    return UsageError("cancel: --now and --grace exclude each other", "fpoctl cancel --help");
  }
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> ids, FindJobIds(session, coordinator));
  return ForEachJob(session, ids,
                    [&](const std::string& id) { return Cancel(session, coordinator, id); });
}

}  // namespace

CommandSpec CancelCommand() {
  CommandSpec c{"cancel", "act", "end jobs"};
  c.details =
      "A running job gets 30 s to stop, or what the coordinator's --cancel-grace says. Its output "
      "so far is kept.";
  c.arguments = {JobsArgument()};
  c.options = {{"now", "", ValueKind::kFlag, "", "kill its processes at once"},
               {"grace", "", ValueKind::kDuration, "DURATION",
                "kill its processes only after this long, up to 1h"}};
  c.examples = {{"fpoctl cancel j-4f2a", "let it stop cleanly"},
                {"fpoctl cancel j-4f2a --now", "kill it"},
                {"fpoctl cancel beta-1 beta-2",
                 "both; fpoctl list -q --label sweep=ID | xargs fpoctl cancel"}};
  c.json = {"CancelJobResponse"};
  c.run = RunCancel;
  return c;
}

}  // namespace fpo::ctl
