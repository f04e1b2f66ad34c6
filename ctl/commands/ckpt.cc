#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"
#include "ctl/show/text_layout.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

std::vector<std::string> RowOf(const pb::Checkpoint& c, Session& session) {
  const absl::Time accepted =
      absl::FromUnixSeconds(c.accepted().seconds()) + absl::Nanoseconds(c.accepted().nanos());
  return {absl::StrCat(c.step()),
          absl::StrCat(c.attempt()),
          c.bytes() > 0 ? HumanBytes(static_cast<double>(c.bytes())) : "-",
          c.has_score() ? HumanNumber(c.score()) : "-",
          c.pinned() ? "yes" : "-",
          LocalTime(accepted, session.style().zone),
          c.folder()};
}

absl::StatusOr<ExitCode> Pin(Session& session, bool pinned) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::PinCheckpointRequest request;
  request.set_job_id(session.invocation.Get("JOB"));
  request.set_step(session.invocation.GetCount("STEP", 0));
  request.set_pinned(pinned);
  FPO_ASSIGN_OR_RETURN(const pb::PinCheckpointResponse answer, coordinator.PinCheckpoint(request));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.checkpoint().folder() << "\n";
  } else {
    session.out << "checkpoint of step " << answer.checkpoint().step()
                << (pinned ? " is pinned\n" : " is left to retention\n");
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCheckpointList(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::ListCheckpointsRequest request;
  request.set_job_id(session.invocation.Get("JOB"));
  FPO_ASSIGN_OR_RETURN(const pb::ListCheckpointsResponse answer,
                       coordinator.ListCheckpoints(request));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const pb::Checkpoint& c : answer.checkpoints()) session.out << c.folder() << "\n";
    return ExitCode::kOk;
  }
  Table table;
  table.header = {"STEP", "ATTEMPT", "SIZE", "SCORE", "PINNED", "ACCEPTED", "FOLDER"};
  table.shrinkable = {6};
  for (const pb::Checkpoint& c : answer.checkpoints()) table.rows.push_back(RowOf(c, session));
  session.out << RenderTable(table, session.style());
  if (answer.checkpoints().empty()) {
    session.err << "job " << answer.job_id() << " has no checkpoint\n";
  }
  for (const pb::BadCheckpoint& bad : answer.bad()) {
    session.err << "bad: attempt " << bad.attempt() << " could not use step " << bad.step() << ": "
                << OneLine(bad.why()) << "\n";
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunCheckpointPin(Session& session) { return Pin(session, true); }

absl::StatusOr<ExitCode> RunCheckpointUnpin(Session& session) { return Pin(session, false); }

absl::StatusOr<ExitCode> RunCheckpointGc(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::GcCheckpointsRequest request;
  request.set_job_id(session.invocation.Get("JOB"));
  request.set_dry_run(session.invocation.Has("dry-run"));
  FPO_ASSIGN_OR_RETURN(const pb::GcCheckpointsResponse answer, coordinator.GcCheckpoints(request));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const auto& decision : answer.decisions()) {
      if (decision.removed()) session.out << decision.checkpoint().folder() << "\n";
    }
    return ExitCode::kOk;
  }
  Table table;
  table.header = {"STEP", "SIZE", request.dry_run() ? "WOULD BE" : "IS", "WHY"};
  for (const auto& decision : answer.decisions()) {
    const pb::Checkpoint& c = decision.checkpoint();
    table.rows.push_back({absl::StrCat(c.step()),
                          c.bytes() > 0 ? HumanBytes(static_cast<double>(c.bytes())) : "-",
                          decision.removed() ? "removed" : "kept", decision.why()});
  }
  session.out << RenderTable(table, session.style());
  return ExitCode::kOk;
}

ArgumentSpec StepArgument() {
  return {"STEP", ValueKind::kCount, "the step of a checkpoint", true, false, {}, 1};
}

}  // namespace

CommandSpec CheckpointListCommand() {
  CommandSpec c = JobCommand("ckpt list", "results", "list a job's checkpoints", RunCheckpointList);
  c.details =
      "Those that count: accepted under the epoch of the attempt that wrote them. -q prints "
      "folders.";
  c.json = {"ListCheckpointsResponse"};
  c.examples = {{"fpoctl ckpt list j-4f2a", "newest first"}};
  return c;
}

CommandSpec CheckpointPinCommand() {
  CommandSpec c = JobCommand("ckpt pin", "results", "keep a checkpoint whatever retention says",
                             RunCheckpointPin);
  c.arguments.push_back(StepArgument());
  c.json = {"PinCheckpointResponse"};
  c.examples = {{"fpoctl ckpt pin j-4f2a 400", ""}};
  return c;
}

CommandSpec CheckpointUnpinCommand() {
  CommandSpec c = JobCommand("ckpt unpin", "results", "leave a checkpoint to retention again",
                             RunCheckpointUnpin);
  c.arguments.push_back(StepArgument());
  c.json = {"PinCheckpointResponse"};
  c.examples = {{"fpoctl ckpt unpin j-4f2a 400", ""}};
  return c;
}

CommandSpec CheckpointGcCommand() {
  CommandSpec c = JobCommand("ckpt gc", "results",
                             "remove checkpoints that retention does not keep", RunCheckpointGc);
  c.details =
      "Of a job that has succeeded all but the final and pinned ones; else all but the newest "
      "keep_last, the best keep_best and pinned ones. Not while the job runs: its trainer does it "
      "then.";
  c.options = {{"dry-run", "", ValueKind::kFlag, "", "only say what would be removed, and why"}};
  c.json = {"GcCheckpointsResponse"};
  c.examples = {{"fpoctl ckpt gc j-4f2a --dry-run", "look first"}};
  return c;
}

}  // namespace fpo::ctl
