#include "worker/core/exported_checkpoints.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"

namespace fpo::worker {
namespace {

namespace fs = std::filesystem;

// "/runs/a/exports/step-4" of "/runs/a/checkpoints/step-4".
std::string ExportFolderOf(const std::string& checkpoint) {
  const fs::path path(checkpoint);
  return (path.parent_path().parent_path() / "exports" / path.filename()).string();
}

// Whether the folder was made of what the checkpoint holds now: a step may be written again.
bool IsCurrent(const std::string& folder, const std::string& checkpoint) {
  std::error_code missing, error;
  const auto written = fs::last_write_time(checkpoint + "/manifest.json", missing);
  return fs::is_directory(folder, error) &&
         (missing || fs::last_write_time(folder, error) >= written);
}

absl::Status Exporting(const std::string& checkpoint) {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("the worker is exporting ", checkpoint)),
      {.reason = ErrorReason::kExporting, .hint = "ask again in a second"});
}

}  // namespace

ExportedCheckpoints::~ExportedCheckpoints() {
  std::thread last;
  {
    absl::MutexLock lock(&mutex_);
    last = std::move(thread_);
  }
  stop_();
  if (last.joinable()) last.join();
}

absl::StatusOr<std::string> ExportedCheckpoints::FolderOf(const std::string& checkpoint) {
  std::string folder = ExportFolderOf(checkpoint);
  absl::MutexLock lock(&mutex_);
  if (!running_.empty()) return Exporting(running_);
  if (const auto failed = failed_.find(checkpoint); failed != failed_.end()) {
    const absl::Status status = failed->second;
    failed_.erase(failed);
    return status;
  }
  std::error_code error;
  if (IsCurrent(folder, checkpoint)) return folder;
  if (!fs::is_directory(checkpoint, error)) {
    return WithErrorInfo(
        absl::NotFoundError(absl::StrCat(checkpoint, " does not exist (any more)")),
        {.reason = ErrorReason::kArtifactGone,
         .hint = "retention or a user removed it; pin a checkpoint to keep it"});
  }
  fs::remove_all(folder, error);           // of an earlier checkpoint of that step
  if (thread_.joinable()) thread_.join();  // it has ended: nothing is running
  running_ = checkpoint;
  thread_ = std::thread([this, checkpoint, folder] { Run(checkpoint, folder); });
  return Exporting(checkpoint);
}

void ExportedCheckpoints::Run(const std::string& checkpoint, const std::string& folder) {
  const absl::Status status = make_(checkpoint, folder);
  absl::MutexLock lock(&mutex_);
  if (!status.ok()) failed_.insert_or_assign(checkpoint, status);
  running_.clear();
}

}  // namespace fpo::worker
