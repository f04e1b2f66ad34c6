#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/convert.h"
#include "ctl/show/render.h"

namespace fpo::ctl {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> RunExplain(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::ExplainJobRequest request;
  request.set_job_id(session.invocation.Get("JOB"));
  FPO_ASSIGN_OR_RETURN(const pb::ExplainJobResponse answer, coordinator.ExplainJob(request));
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.word() << "\n";
  } else {
    session.out << pb::JobState_Name(answer.state()) << "  " << OneLine(answer.text()) << "\n";
    for (const std::string& detail : answer.details())
      session.out << "  " << OneLine(detail) << "\n";
    if (!answer.next().empty()) session.out << "next: " << OneLine(answer.next()) << "\n";
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunQueue(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::QueueResponse answer, coordinator.Queue(pb::QueueRequest()));
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const pb::QueuedJob& place : answer.waiting()) session.out << place.job().job_id() << "\n";
    return ExitCode::kOk;
  }
  std::vector<QueueRow> rows;
  for (const pb::QueuedJob& place : answer.running()) rows.push_back(ViewOf(place));
  for (const pb::QueuedJob& place : answer.waiting()) rows.push_back(ViewOf(place));
  session.out << RenderQueue(rows, absl::Now(), session.style());
  session.err << answer.slots_free() << " of " << answer.slots() << " slots free\n";
  return ExitCode::kOk;
}

}  // namespace fpo::ctl
