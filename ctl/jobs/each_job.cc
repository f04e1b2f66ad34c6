#include "ctl/jobs/each_job.h"

#include <algorithm>

#include "common/status_macros.h"
#include "ctl/command_line/error_report.h"
#include "ctl/rpc/coordinator_client.h"

namespace fpo::ctl {

absl::StatusOr<std::vector<std::string>> FindJobIds(Session& session,
                                                    CoordinatorClient& coordinator) {
  std::vector<std::string> ids;
  for (const std::string& words : session.invocation.GetAll("JOB")) {
    FPO_ASSIGN_OR_RETURN(const fpo::v1::GetJobResponse found, coordinator.GetJob(words));
    const std::string& id = found.job().job_id();
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return ids;
}

absl::StatusOr<ExitCode> ForEachJob(
    Session& session, const std::vector<std::string>& ids,
    const std::function<absl::StatusOr<ExitCode>(const std::string& job_id)>& act) {
  if (ids.size() == 1) return act(ids.front());
  ExitCode first = ExitCode::kOk;
  for (const std::string& id : ids) {
    const absl::StatusOr<ExitCode> code = act(id);
    if (!code.ok()) session.err << ErrorReport(code.status(), session.settings().json);
    const ExitCode ended = code.ok() ? *code : ExitCodeOf(code.status());
    if (first == ExitCode::kOk) first = ended;
    if (ended == ExitCode::kInterrupted) break;
  }
  return first;
}

}  // namespace fpo::ctl
