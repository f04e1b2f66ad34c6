#pragma once

#include "absl/status/statusor.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/session.h"

namespace fpo::ctl {

// What the command table runs. Data goes to the session's out, the rest to its err; an error is
// returned, not printed.
absl::StatusOr<ExitCode> RunSubmit(Session& session);
absl::StatusOr<ExitCode> RunSweep(Session& session);
absl::StatusOr<ExitCode> RunList(Session& session);
absl::StatusOr<ExitCode> RunDescribe(Session& session);
absl::StatusOr<ExitCode> RunCompare(Session& session);
absl::StatusOr<ExitCode> RunLogs(Session& session);
absl::StatusOr<ExitCode> RunWatch(Session& session);
absl::StatusOr<ExitCode> RunWait(Session& session);
absl::StatusOr<ExitCode> RunCancel(Session& session);
absl::StatusOr<ExitCode> RunWorkersList(Session& session);
absl::StatusOr<ExitCode> RunHold(Session& session);
absl::StatusOr<ExitCode> RunRelease(Session& session);
absl::StatusOr<ExitCode> RunPause(Session& session);
absl::StatusOr<ExitCode> RunResume(Session& session);
absl::StatusOr<ExitCode> RunPriority(Session& session);
absl::StatusOr<ExitCode> RunRetry(Session& session);
absl::StatusOr<ExitCode> RunExplain(Session& session);
absl::StatusOr<ExitCode> RunQueue(Session& session);
absl::StatusOr<ExitCode> RunMetrics(Session& session);
absl::StatusOr<ExitCode> RunCheckpointList(Session& session);
absl::StatusOr<ExitCode> RunCheckpointPin(Session& session);
absl::StatusOr<ExitCode> RunCheckpointUnpin(Session& session);
absl::StatusOr<ExitCode> RunCheckpointGc(Session& session);
absl::StatusOr<ExitCode> RunDownload(Session& session);
absl::StatusOr<ExitCode> RunWorkersDrain(Session& session);
absl::StatusOr<ExitCode> RunWorkersCordon(Session& session);
absl::StatusOr<ExitCode> RunWorkersUndrain(Session& session);
absl::StatusOr<ExitCode> RunWorkersForget(Session& session);
absl::StatusOr<ExitCode> RunAudit(Session& session);
absl::StatusOr<ExitCode> RunContextList(Session& session);
absl::StatusOr<ExitCode> RunContextSet(Session& session);
absl::StatusOr<ExitCode> RunContextUse(Session& session);
absl::StatusOr<ExitCode> RunContextRemove(Session& session);
absl::StatusOr<ExitCode> RunContextShow(Session& session);
absl::StatusOr<ExitCode> RunSchema(Session& session);
absl::StatusOr<ExitCode> RunInit(Session& session);
absl::StatusOr<ExitCode> RunValidate(Session& session);
absl::StatusOr<ExitCode> RunHealth(Session& session);
absl::StatusOr<ExitCode> RunHelp(Session& session);
absl::StatusOr<ExitCode> RunVersion(Session& session);
absl::StatusOr<ExitCode> RunCompletion(Session& session);

absl::StatusOr<ExitCode> RunTokenCreate(Session& session);
absl::StatusOr<ExitCode> RunTokenList(Session& session);
absl::StatusOr<ExitCode> RunTokenRevoke(Session& session);

}  // namespace fpo::ctl
