#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "ctl/commands/commands.h"
#include "ctl/jobs/each_job.h"
#include "ctl/rpc/convert.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

using Call =
    absl::StatusOr<pb::ChangeJobResponse> (CoordinatorClient::*)(const pb::ChangeJobRequest&);

void PrintChanged(Session& session, const pb::ChangeJobResponse& answer, const std::string& more) {
  const pb::Job& job = answer.job();
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << job.job_id() << "\n";
  } else {
    session.out << "job " << job.job_id() << " is " << pb::JobState_Name(job.state()) << more
                << "\n";
  }
}

absl::StatusOr<ExitCode> Change(Session& session, Call call) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const std::vector<std::string> ids, FindJobIds(session, coordinator));
  return ForEachJob(session, ids, [&](const std::string& id) -> absl::StatusOr<ExitCode> {
    pb::ChangeJobRequest request;
    request.set_job_id(id);
    FPO_ASSIGN_OR_RETURN(const pb::ChangeJobResponse answer, (coordinator.*call)(request));
    const bool stops = answer.job().state() == pb::PAUSING;
    PrintChanged(
        session, answer,
        stops ? absl::StrCat("; its slots are free once it is PAUSED: fpoctl explain ", id) : "");
    return ExitCode::kOk;
  });
}

}  // namespace

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

}  // namespace fpo::ctl
