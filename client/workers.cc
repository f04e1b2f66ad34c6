#include "client/commands.h"
#include "client/convert.h"
#include "client/render.h"
#include "common/status_macros.h"

namespace fpo::client {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> RunWorkersList(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::ListWorkersResponse answer, coordinator.ListWorkers());
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const pb::Worker& worker : answer.workers()) session.out << worker.worker_id() << "\n";
    return ExitCode::kOk;
  }
  std::vector<WorkerView> workers;
  for (const pb::Worker& worker : answer.workers()) workers.push_back(ViewOf(worker));
  session.out << RenderWorkers(workers, absl::Now(), session.style());
  if (workers.empty()) {
    session.err << "no worker has registered; start fpo-worker --coordinator "
                << session.settings().server << "\n";
  }
  return ExitCode::kOk;
}

}  // namespace fpo::client
