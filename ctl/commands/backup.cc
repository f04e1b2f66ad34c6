#include "common/status_macros.h"
#include "common/wire/wire_json.h"
#include "ctl/commands/commands.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/session.h"
#include "ctl/show/human.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<ExitCode> RunBackup(Session& session) {
  FPO_ASSIGN_OR_RETURN(CoordinatorClient coordinator, ConnectCoordinator(session));
  FPO_ASSIGN_OR_RETURN(const pb::BackupJobsResponse answer, coordinator.BackupJobs());
  if (session.settings().json) {
    session.out << WireJson(answer) << "\n";
  } else if (session.settings().quiet) {
    session.out << answer.path() << "\n";
  } else {
    session.out << "copied " << HumanCount(answer.jobs()) << " jobs, "
                << HumanBytes(static_cast<double>(answer.bytes())) << ", to " << answer.path()
                << " on the coordinator's machine, and verified the copy\n";
  }
  return ExitCode::kOk;
}

}  // namespace

CommandSpec BackupCommand() {
  CommandSpec c{"backup", "admin", "copy the jobs' store on the coordinator's machine"};
  c.details =
      "The copy is made while jobs run, read back and listed with digests before it counts. It is "
      "in the folder that fpo-coordinator was started with (--backup-dir). To use it: "
      "fpo-coordinator --restore COPY --data NEW. For admins.";
  c.examples = {{"fpoctl backup", ""}};
  c.json = {"BackupJobsResponse"};
  c.run = RunBackup;
  return c;
}

}  // namespace fpo::ctl
