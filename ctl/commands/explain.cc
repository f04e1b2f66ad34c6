#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/wire/enums.h"
#include "common/wire/wire_json.h"
#include "ctl/command_line/command_parts.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> RunExplain(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  pb::ExplainJobRequest request;
  request.set_job_id(session.invocation.Get("JOB"));
  FPO_ASSIGN_OR_RETURN(const pb::ExplainJobResponse answer, coordinator.ExplainJob(request));
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.word() << "\n";
  } else {
    session.out << TextOf(answer.state()) << "  " << OneLine(answer.text()) << "\n";
    for (const std::string& detail : answer.details())
      session.out << "  " << OneLine(detail) << "\n";
    if (!answer.next().empty()) session.out << "next: " << OneLine(answer.next()) << "\n";
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec ExplainCommand() {
  CommandSpec c = JobCommand("explain", "look", "say why a job is not running, or what it is doing",
                             RunExplain);
  c.details =
      "The main reason with its numbers, then other facts: workers and their slots, the jobs "
      "ahead, how earlier attempts ended, and a command that may help.";
  c.json = {"ExplainJobResponse"};
  c.examples = {{"fpoctl explain j-4f2a", ""}};
  return c;
}

}  // namespace fpo::ctl
