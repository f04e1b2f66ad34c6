#include "client/commands.h"
#include "client/convert.h"
#include "client/render.h"
#include "common/status_macros.h"

namespace fpo::client {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> RunDescribe(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse answer,
                       coordinator.GetJob(session.invocation.Get("JOB")));
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.job().job_id() << "\n";
  } else {
    session.out << RenderJob(ViewOf(answer.job()), absl::Now(), session.style());
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCompare(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  std::vector<JobView> jobs;
  for (const std::string& name : session.invocation.GetAll("JOB")) {
    FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse answer, coordinator.GetJob(name));
    jobs.push_back(ViewOf(answer.job()));
    if (session.settings().json) session.out << AnswerJson(answer) << "\n";
    if (session.settings().quiet) session.out << answer.job().job_id() << "\n";
  }
  if (!session.settings().json && !session.settings().quiet) {
    session.out << RenderComparison(jobs, session.style());
  }
  return ExitCode::kOk;
}

}  // namespace fpo::client
