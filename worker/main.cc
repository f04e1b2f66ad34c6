#include <sys/stat.h>

#include <iostream>
#include <string>

#include "common/error_info.h"
#include "common/flags/program_flags.h"
#include "common/observe/log.h"
#include "common/observe/version.h"
#include "common/stop_signals.h"
#include "worker/core/host/known_store.h"
#include "worker/core/process/process_journal.h"
#include "worker/flags.h"
#include "worker/rpc/worker.h"

namespace fpo::worker {
namespace {

// Beyond the grace of the trainers: for killing them, and for what they said to be acknowledged.
constexpr absl::Duration kCloseTime = absl::Minutes(1);

// 2: a flag, or a requested device that is missing; 6: the token; 7: another agent has the name or
// the work dir; 1: anything else.
int ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kInvalidArgument:
      return 2;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return ReasonOf(status) == ErrorReason::kUnspecified ? 1
                                                           : 6;  // an unreadable file has no reason
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
      return 7;
    default:
      return 1;
  }
}

int Fail(const absl::Status& status, std::string hint = "") {
  if (const auto info = GetErrorInfo(status); info && hint.empty()) hint = info->hint;
  std::cerr << "error: " << status.message() << (hint.empty() ? "" : "; hint: ") << hint << "\n";
  return ExitCodeOf(status);
}

int ForgetStore(const std::string& work_dir) {
  // Its lock: no agent may be running here.
  const auto journal = ProcessJournal::Open(work_dir);
  if (!journal.ok()) return Fail(journal.status());
  const auto forgotten = KnownStore::Forget(work_dir);
  if (!forgotten.ok()) return Fail(forgotten.status());
  std::cout << "forgot store " << forgotten->id << " at revision " << forgotten->revision
            << "; unsent lines, if any, are in " << work_dir << "/spool-of-" << forgotten->id
            << "\n";
  return 0;
}

int Run(int argc, char** argv) {
  umask(027);  // of what jobs write, too: the group may read it, and no one else
  const StopSignals signals;
  const auto flags = ParseFlags(argc, argv);
  if (const auto code = ExitOfFlags(flags)) return *code;

  InitLog("fpo-worker", LogLevel::kInfo);
  if (flags->config.forget_store) return ForgetStore(flags->config.work_dir);
  auto worker =
      Worker::Start(flags->config, {ProgramVersion(), BuildCommit()}, [] { StopSignals::Raise(); });
  if (!worker.ok()) return Fail(worker.status());
  const int signal = signals.Wait();
  const absl::Status refusal = (*worker)->refusal();
  if (refusal.ok()) Log(LogLevel::kInfo, "shutting down", {{"signal", std::to_string(signal)}});
  EndProcessAfter(flags->config.grace + kCloseTime);  // its trainers end with it
  (*worker)->Drain();
  return refusal.ok() ? 0 : Fail(refusal);
}

}  // namespace
}  // namespace fpo::worker

int main(int argc, char** argv) { return fpo::worker::Run(argc, argv); }
