#include "common/status_macros.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/convert.h"
#include "ctl/show/render.h"

namespace fpo::ctl {

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

namespace {

absl::StatusOr<ExitCode> SetMode(Session& session, pb::SetWorkerModeRequest::Mode mode) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::SetWorkerModeRequest request;
  request.set_worker_id(session.invocation.Get("WORKER"));
  request.set_mode(mode);
  request.set_note(session.invocation.Get("note"));
  FPO_ASSIGN_OR_RETURN(const pb::SetWorkerModeResponse answer, coordinator.SetWorkerMode(request));
  const pb::Worker& worker = answer.worker();
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << worker.worker_id() << "\n";
  } else {
    session.out << "worker " << worker.worker_id() << " is " << worker.state();
    if (worker.jobs_size() > 0) session.out << ", " << worker.slots_used() << " slots still used";
    session.out << "\n";
  }
  return ExitCode::kOk;
}

}  // namespace

absl::StatusOr<ExitCode> RunWorkersDrain(Session& session) {
  return SetMode(session, pb::SetWorkerModeRequest::DRAIN);
}
absl::StatusOr<ExitCode> RunWorkersCordon(Session& session) {
  return SetMode(session, pb::SetWorkerModeRequest::CORDON);
}
absl::StatusOr<ExitCode> RunWorkersUndrain(Session& session) {
  return SetMode(session, pb::SetWorkerModeRequest::OPEN);
}

absl::StatusOr<ExitCode> RunWorkersForget(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::ForgetWorkerRequest request;
  request.set_worker_id(session.invocation.Get("WORKER"));
  FPO_ASSIGN_OR_RETURN(const pb::ForgetWorkerResponse answer, coordinator.ForgetWorker(request));
  if (session.settings().json) {
    session.out << AnswerJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.worker().worker_id() << "\n";
  } else {
    session.out << "worker " << answer.worker().worker_id() << " is forgotten\n";
  }
  return ExitCode::kOk;
}

}  // namespace fpo::ctl
