#include "absl/strings/str_cat.h"
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

using Call =
    absl::StatusOr<pb::ChangeJobResponse> (CoordinatorClient::*)(const pb::ChangeJobRequest&);

void PrintChanged(Session& session, const pb::ChangeJobResponse& answer, const std::string& more) {
  const pb::Job& job = answer.job();
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << job.job_id() << "\n";
  } else {
    session.out << "job " << job.job_id() << " is " << TextOf(job.state()) << more << "\n";
  }
}

absl::StatusOr<ExitCode> Change(Session& session, Call call) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> ids, FindJobIds(session, coordinator));
  return ForEachJob(session, ids, [&](const std::string& id) -> absl::StatusOr<ExitCode> {
    pb::ChangeJobRequest request;
    request.set_job_id(id);
    FPO_ASSIGN_OR_RETURN(const pb::ChangeJobResponse answer, (coordinator.*call)(request));
    const bool stops = answer.job().state() == pb::JOB_STATE_PAUSING;
    PrintChanged(
        session, answer,
        stops ? absl::StrCat("; its slots are free once it is PAUSED: fpoctl explain ", id) : "");
    return ExitCode::kOk;
  });
}

absl::StatusOr<ExitCode> RunHold(Session& session) {
  return Change(session, &CoordinatorClient::HoldJob);
}

absl::StatusOr<ExitCode> RunRelease(Session& session) {
  return Change(session, &CoordinatorClient::ReleaseJob);
}

absl::StatusOr<ExitCode> RunPause(Session& session) {
  return Change(session, &CoordinatorClient::PauseJob);
}

absl::StatusOr<ExitCode> RunResume(Session& session) {
  return Change(session, &CoordinatorClient::ResumeJob);
}

absl::StatusOr<ExitCode> RunPriority(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> ids, FindJobIds(session, coordinator));
  pb::SetPriorityRequest request;
  request.set_job_id(ids.front());
  request.set_priority(session.invocation.GetCount("N", 0));
  FPO_ASSIGN_OR_RETURN(const pb::ChangeJobResponse answer, coordinator.SetPriority(request));
  PrintChanged(session, answer, absl::StrCat(" with priority ", answer.job().priority()));
  return ExitCode::kOk;
}

}  // namespace

CommandSpec HoldCommand() {
  CommandSpec c = JobCommand("hold", "act", "keep waiting jobs from starting", RunHold);
  c.arguments[0].repeated = true;
  c.examples = {{"fpoctl hold j-4f2a", "until fpoctl release"}};
  return c;
}

CommandSpec ReleaseCommand() {
  CommandSpec c = JobCommand("release", "act", "let held jobs start", RunRelease);
  c.arguments[0].repeated = true;
  c.examples = {{"fpoctl release j-4f2a", "it keeps its age in the queue"}};
  return c;
}

CommandSpec PauseCommand() {
  CommandSpec c =
      JobCommand("pause", "act", "checkpoint running jobs and free their slots", RunPause);
  c.details = "The job writes a checkpoint and stops. fpoctl resume queues it again.";
  c.arguments[0].repeated = true;
  c.examples = {{"fpoctl pause j-4f2a", "its slots are free once it is PAUSED"}};
  return c;
}

CommandSpec ResumeCommand() {
  CommandSpec c = JobCommand("resume", "act", "queue paused jobs again", RunResume);
  c.arguments[0].repeated = true;
  c.examples = {{"fpoctl resume j-4f2a", "it continues from its newest checkpoint"}};
  return c;
}

CommandSpec PriorityCommand() {
  CommandSpec c = JobCommand("priority", "act", "change a job's priority", RunPriority);
  c.details =
      "0 to 1000, higher runs first. A waiting job preempts running ones of lower priority: they "
      "checkpoint, stop, and queue again.";
  c.arguments.push_back(
      {"N", ValueKind::kCount, "the new priority, 0 to 1000", true, false, {}, 0, 1000});
  c.examples = {{"fpoctl priority j-4f2a 900", "before jobs of the default 500"}};
  return c;
}

}  // namespace fpo::ctl
