#include "common/fleet/slurm_script.h"
#include "common/rpc/listen_options.h"
#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "common/wire/enums.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/exit_code.h"
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

absl::Status CheckWorkersOfScript(const SlurmWorkers& workers) {
  FPO_RETURN_IF_ERROR(CheckSlurmWorkers(workers, "workers slurm-script: --"));
  const std::vector<std::string> coordinators = SplitAddresses(workers.coordinator);
  const bool is_here = std::all_of(coordinators.begin(), coordinators.end(), IsLoopback);
  if (!workers.roots.empty() || !workers.output_roots.empty() || is_here) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "workers slurm-script: agents of another machine's coordinator must know which folders jobs "
      "may use: give --root DIR to read and --output-root DIR to write");
}

absl::StatusOr<ExitCode> RunWorkersSlurmScript(Session& session) {
  const Invocation& given = session.invocation;
  SlurmWorkers workers;
  workers.nodes = given.GetCount("nodes", workers.nodes);
  workers.gpus = given.GetCount("gpus", workers.gpus);
  workers.cpus = given.GetCount("cpus", workers.cpus);
  workers.time = given.Get("time");
  workers.partition = given.Get("partition");
  workers.account = given.Get("account");
  workers.work_dir = given.Get("work-dir");
  workers.token_file = given.Get("worker-token");
  workers.roots = given.GetAll("root");
  workers.output_roots = given.GetAll("output-root");
  workers.notice = given.GetDuration("notice").value_or(workers.notice);
  workers.exit_when_idle = given.GetDuration("exit-when-idle").value_or(workers.exit_when_idle);
  workers.coordinator = session.settings().server;
  workers.cache = session.settings().cache_server;
  workers.tls_ca = session.settings().tls.ca;
  const absl::Status valid = CheckWorkersOfScript(workers);
  if (!valid.ok()) return UsageError(valid.message(), "fpoctl workers slurm-script --help");
  const std::string script = SlurmScript(workers);
  if (session.settings().json) {
    JsonObject json;
    json.Add("script", script);
    session.out << json.Text() << "\n";
  } else {
    session.out << script;
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

CommandSpec WorkersSlurmScriptCommand() {
  CommandSpec c{"workers slurm-script", "admin", "print an sbatch script that runs workers"};
  c.details =
      "One agent on each node of a Slurm job, for the coordinator and cache of --server and "
      "--cache-server. Before the time limit the agents write checkpoints and stop, their jobs "
      "queue again, uncounted, and the Slurm job is requeued. Paths are those of the nodes.";
  c.options = {
      Within({"nodes", "", ValueKind::kCount, "N", "nodes, with one agent each (default: 1)"}, 1),
      Within({"gpus", "", ValueKind::kCount, "N", "GPUs of each node, 0: its CPU (default: 1)"}, 0,
             1024),
      Within({"cpus", "", ValueKind::kCount, "N", "CPUs of each node"}, 1),
      {"time", "", ValueKind::kText, "LIMIT", "time limit, as sbatch takes it"},
      {"partition", "", ValueKind::kText, "NAME", "where Slurm runs it"},
      {"account", "", ValueKind::kText, "NAME", "whom Slurm charges"},
      {"notice", "", ValueKind::kDuration, "DURATION",
       "between Slurm's warning and the end (default: 5m)"},
      {"exit-when-idle", "", ValueKind::kDuration, "DURATION",
       "agents without work for so long end, and so does the Slurm job (default: never)"},
      {"worker-token", "", ValueKind::kFile, "FILE",
       "the agents' token, of role worker for the names slurm-*"},
      {"root", "", ValueKind::kFile, "DIR", "below it jobs may read; may be repeated", true},
      {"output-root", "", ValueKind::kFile, "DIR", "below it jobs may write; may be repeated",
       true}};
  OptionSpec work_dir = {"work-dir", "", ValueKind::kFile, "DIR",
                         "the agents' folder, on the disk of each node"};
  work_dir.required = true;
  c.options.push_back(work_dir);
  c.examples = {{"fpoctl workers slurm-script --gpus 8 --work-dir /scratch --root /srv > w.sh",
                 "then: sbatch w.sh"},
                {"fpoctl workers slurm-script --nodes 4 --time 24:00:00 --work-dir /scratch",
                 "four nodes for a day, beside the coordinator"}};
  c.json = {"{script}"};
  c.run = RunWorkersSlurmScript;
  return c;
}

}  // namespace fpo::ctl
