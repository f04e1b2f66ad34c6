#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> RunQueue(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::QueueResponse answer, coordinator.Queue(pb::QueueRequest()));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
    return ExitCode::kOk;
  }
  if (session.settings().quiet) {
    for (const pb::QueuedJob& place : answer.waiting()) session.out << place.job().job_id() << "\n";
    return ExitCode::kOk;
  }
  std::vector<pb::QueuedJob> rows(answer.running().begin(), answer.running().end());
  rows.insert(rows.end(), answer.waiting().begin(), answer.waiting().end());
  session.out << RenderQueue(rows, absl::Now(), session.style());
  session.err << answer.slots_free() << " of " << answer.slots() << " slots free\n";
  return ExitCode::kOk;
}

}  // namespace

CommandSpec QueueCommand() {
  CommandSpec c{"queue", "look", "list what runs and what waits, in the order of starting"};
  c.details =
      "START is estimated from the pace of running jobs and the time that similar jobs took; '-' "
      "where it is unknown.";
  c.json = {"QueueResponse"};
  c.examples = {{"fpoctl queue", "who is next, and when"}};
  c.run = RunQueue;
  return c;
}

}  // namespace fpo::ctl
