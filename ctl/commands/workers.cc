#include "common/status_macros.h"
#include "common/wire/enums.h"
#include "common/wire/wire_json.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> RunWorkersList(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::ListWorkersResponse answer, coordinator.ListWorkers());
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const pb::Worker& worker : answer.workers()) session.out << worker.worker_id() << "\n";
    return ExitCode::kOk;
  }
  session.out << RenderWorkers({answer.workers().begin(), answer.workers().end()}, absl::Now(),
                               session.style());
  if (answer.workers().empty()) {
    session.err << "no worker has registered; start fpo-worker --coordinator "
                << session.settings().server << "\n";
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> SetMode(Session& session, pb::SetWorkerModeRequest::Mode mode) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::SetWorkerModeRequest request;
  request.set_worker_id(session.invocation.Get("WORKER"));
  request.set_mode(mode);
  request.set_note(session.invocation.Get("note"));
  FPO_ASSIGN_OR_RETURN(const pb::SetWorkerModeResponse answer, coordinator.SetWorkerMode(request));
  const pb::Worker& worker = answer.worker();
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << worker.worker_id() << "\n";
  } else {
    session.out << "worker " << worker.worker_id() << " is " << TextOf(worker.state());
    if (worker.jobs_size() > 0) session.out << ", " << worker.slots_used() << " slots still used";
    session.out << "\n";
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunWorkersDrain(Session& session) {
  return SetMode(session, pb::SetWorkerModeRequest::MODE_DRAIN);
}

absl::StatusOr<ExitCode> RunWorkersCordon(Session& session) {
  return SetMode(session, pb::SetWorkerModeRequest::MODE_CORDON);
}

absl::StatusOr<ExitCode> RunWorkersUndrain(Session& session) {
  return SetMode(session, pb::SetWorkerModeRequest::MODE_OPEN);
}

absl::StatusOr<ExitCode> RunWorkersForget(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::ForgetWorkerRequest request;
  request.set_worker_id(session.invocation.Get("WORKER"));
  FPO_ASSIGN_OR_RETURN(const pb::ForgetWorkerResponse answer, coordinator.ForgetWorker(request));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.worker().worker_id() << "\n";
  } else {
    session.out << "worker " << answer.worker().worker_id() << " is forgotten\n";
  }
  return ExitCode::kOk;
}

OptionSpec NoteOption() {
  return {"note", "", ValueKind::kText, "TEXT", "the reason, shown in the list"};
}

CommandSpec WorkerCommand(const char* name, const char* summary, CommandSpec::Run run) {
  CommandSpec c{name, "admin", summary};
  c.arguments = {{"WORKER", ValueKind::kWorker, "a worker's name (fpoctl workers list)"}};
  c.json = {"SetWorkerModeResponse"};
  c.run = run;
  return c;
}

}  // namespace

CommandSpec WorkersListCommand() {
  CommandSpec c{"workers list", "admin", "list workers, their slots and jobs"};
  c.json = {"ListWorkersResponse"};
  c.examples = {{"fpoctl workers list", "all workers"}};
  c.run = RunWorkersList;
  return c;
}

CommandSpec WorkersDrainCommand() {
  CommandSpec c = WorkerCommand("workers drain", "move a worker's jobs elsewhere", RunWorkersDrain);
  c.details =
      "It takes no new jobs; running ones checkpoint, stop and queue again, uncounted. The state "
      "persists across restarts; fpoctl workers undrain opens the worker again.";
  c.options = {NoteOption()};
  c.examples = {{"fpoctl workers drain gpu-7 --note memory-errors", ""}};
  return c;
}

CommandSpec WorkersCordonCommand() {
  CommandSpec c = WorkerCommand("workers cordon", "give a worker no new jobs", RunWorkersCordon);
  c.details = "Running jobs continue.";
  c.options = {NoteOption()};
  c.examples = {{"fpoctl workers cordon gpu-7", ""}};
  return c;
}

CommandSpec WorkersUndrainCommand() {
  CommandSpec c =
      WorkerCommand("workers undrain", "open a drained or cordoned worker", RunWorkersUndrain);
  c.examples = {{"fpoctl workers undrain gpu-7", ""}};
  return c;
}

CommandSpec WorkersForgetCommand() {
  CommandSpec c =
      WorkerCommand("workers forget", "remove a lost worker from the list", RunWorkersForget);
  c.details =
      "For one that will not come back; its drained or cordoned state goes too. A worker "
      "that "
      "is connected is refused. If its agent dials in again, it is a new worker.";
  c.examples = {{"fpoctl workers forget gpu-7", ""}};
  return c;
}

}  // namespace fpo::ctl
