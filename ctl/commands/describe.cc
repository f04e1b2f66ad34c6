
#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> RunDescribe(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::GetJobResponse answer,
                       coordinator.GetJob(session.invocation.Get("JOB")));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.job().job_id() << "\n";
  } else {
    session.out << RenderJob(answer.job(), absl::Now(), session.style());
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec DescribeCommand() {
  CommandSpec c{"describe", "look", "show everything about one job"};
  c.details =
      "State, attempts and why each ended, cache use, result metrics, output folder, last error.";
  c.arguments = {JobArgument()};
  c.examples = {{"fpoctl describe j-4f2a", "by the beginning of its id"},
                {"fpoctl describe tiny-fpo --json", "the newest job of that name, as JSON"}};
  c.json = {"GetJobResponse"};
  c.run = RunDescribe;
  return c;
}

}  // namespace fpo::ctl
