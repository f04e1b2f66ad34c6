#include "train/runs/run_folder.h"

#include <unistd.h>

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/job/job_file.h"
#include "common/status_macros.h"
#include "train/chat/turn_record.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

namespace fs = std::filesystem;

// All ranks check at the same time.
absl::Status CheckWritable(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  const std::string file = absl::StrCat(path, "/.writable-", getpid());
  const absl::Status probe = WriteFileAtomically(file, "");
  if (error || !probe.ok()) {
    return FailWith(ExitCode::kStorage,
                    absl::StrCat("output folder ", path, " cannot be written: ",
                                 error ? error.message() : std::string(probe.message()),
                                 "; choose another --out or fix its permissions"));
  }
  fs::remove(file, error);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<FolderRun>> ReadSameRun(const std::string& path, const JobConfig& job,
                                                     bool resume) {
  FPO_ASSIGN_OR_RETURN(std::optional<FolderRun> run, ReadFolderRun(path));
  if (!run.has_value()) return run;
  FPO_RETURN_IF_ERROR(CheckSameRun(*run, job, "choose another --out, or remove that folder"));
  if (resume) return run;
  return absl::AlreadyExistsError(
      absl::StrCat("output folder ", path, " holds ", run->Describe(),
                   "; continue it with --resume, or choose another --out"));
}

}  // namespace

absl::StatusOr<RunFolder> RunFolder::Open(const std::string& path, const JobConfig& job,
                                          bool resume, const std::optional<OutputHolder>& holder) {
  FPO_ASSIGN_OR_RETURN(std::optional<FolderRun> run, ReadSameRun(path, job, resume));
  FPO_RETURN_IF_ERROR(CheckWritable(path));
  std::unique_ptr<OutputLock> lock;
  if (holder.has_value()) {
    auto taken = OutputLock::Take(path, *holder);
    if (!taken.ok()) return AsStorageError(taken.status());
    lock = *std::move(taken);
    // The one before may have written until now.
    FPO_ASSIGN_OR_RETURN(run, ReadSameRun(path, job, resume));
  }
  State state = State::kFresh;
  if (run.has_value()) state = HasAllSteps(*run, job) ? State::kFinished : State::kStarted;
  RunFolder folder(path, state, std::move(run));
  folder.lock_ = std::move(lock);
  if (folder.run_.has_value()) folder.changes_ = NotedDifferences(job, folder.run_->job);
  return folder;
}

absl::Status RunFolder::WriteJob(const JobConfig& job) const {
  return AsStorageError(WriteFileAtomically(File("job.yaml"), WriteJobYaml(job)));
}

absl::Status RunFolder::WriteRunJson(const std::string& json) const {
  return AsStorageError(WriteFileAtomically(File("run.json"), json));
}

absl::Status RunFolder::CopyFromPrepared(const std::string& prepared) const {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(prepared + "/admission.json"));
  FPO_ASSIGN_OR_RETURN(const std::optional<TurnRecord> turns, ReadTurnRecord(prepared));
  if (turns.has_value()) FPO_RETURN_IF_ERROR(AsStorageError(WriteTurnRecord(*turns, path_)));
  return AsStorageError(WriteFileAtomically(File("admission.json"), text));
}

absl::StatusOr<std::unique_ptr<OutputLock>> LockOutputOf(const JobOutput& output) {
  std::unique_ptr<OutputLock> none;
  const std::string& command = output.command;
  const bool writes =
      command == "evaluate" || command == "sae" || command == "generate" || command == "judge";
  if (output.attempt.empty() || !writes) return none;
  const bool is_file = command != "sae" || absl::EndsWith(output.out, ".npz");
  const fs::path out(output.out);
  auto lock =
      OutputLock::Take((is_file ? out.parent_path() : out).string(), HolderOf(output.attempt));
  if (!lock.ok()) return AsStorageError(lock.status());
  return lock;
}

}  // namespace fpo::train
