#include "worker/core/host/preflight.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/files/output_folder.h"
#include "common/files/posix_status.h"
#include "common/outputs/output_lock.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

constexpr int64_t kSharedBytesOfRank = int64_t{16} << 20;

namespace fs = std::filesystem;

fs::path NearestExisting(const std::string& path) {
  fs::path existing = path;
  std::error_code error;
  while (!fs::exists(existing, error) && existing.has_relative_path()) {
    existing = existing.parent_path();
  }
  return existing;
}

}  // namespace

absl::Status CheckFreeBytes(const std::string& path, int64_t bytes) {
  const std::string existing = NearestExisting(path).string();
  struct statvfs system = {};
  if (statvfs(existing.c_str(), &system) != 0) return PosixError(errno, "statvfs", existing);
  const int64_t free =
      static_cast<int64_t>(system.f_bavail) * static_cast<int64_t>(system.f_frsize);
  if (free >= bytes) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the file system of ", existing, " has ", free >> 20,
                                             " MiB free; the worker keeps a reserve of ",
                                             bytes >> 20, " MiB"));
}

absl::Status CheckSharedMemory(const std::string& path, int32_t ranks) {
  struct statvfs system = {};
  if (statvfs(path.c_str(), &system) != 0) return absl::OkStatus();
  const int64_t free =
      static_cast<int64_t>(system.f_bavail) * static_cast<int64_t>(system.f_frsize);
  const int64_t needed = kSharedBytesOfRank * ranks;
  if (free >= needed) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat(path, " has ", free >> 20, " MiB free and ", ranks, " ranks need ", needed >> 20,
                   " MiB; make it larger (docker run --shm-size, mount -o remount,size=)"));
}

absl::Status CheckCanWrite(const std::string& path) {
  const fs::path existing = NearestExisting(path);
  std::error_code error;
  if (!fs::is_directory(existing, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("output: ", path, ": ", existing.string(), " is not a folder"));
  }
  if (access(existing.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  if (errno == EROFS || errno == EIO || errno == ESTALE) {
    return absl::UnavailableError(absl::StrCat("output: ", path, ": ", existing.string(), ": ",
                                               std::generic_category().message(errno)));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("output: ", path, ": the worker may not write to ", existing.string()));
}

absl::StatusOr<OutputUse> LookAtOutput(const JobConfig& config, const std::string& job_id,
                                       bool may_replace) {
  OutputUse use;
  if (config.kind != "train") return use;
  auto run = ReadFolderRun(config.output);
  if (!run.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "output: ", config.output, " holds a run whose job.yaml cannot be read: ",
        run.status().message(), "; submit the job with another folder: --set output=..."));
  }
  if (!run->has_value()) return use;
  const FolderRun& there = **run;
  const bool own = there.job_id == job_id;
  if (IsSmoke(config) && IsSmoke(there.job) && !own) {
    if (may_replace && IsOutputLocked(config.output)) {
      return absl::UnavailableError(absl::StrCat("output: ", config.output, " is being written by ",
                                                 LastHolderOf(config.output)->Describe()));
    }
    if (may_replace) FPO_RETURN_IF_ERROR(RemoveRun(config.output));
    use.replaced = there.Describe();
    return use;
  }
  const absl::Status same = CheckSameRun(
      there, config, "submit it with another folder (--set output=...), or remove that");
  if (!same.ok()) return absl::InvalidArgumentError(same.message());
  if (HasAllSteps(there, config) && !own) use.finished = there.Describe();
  return use;
}

void RemoveOldWork(const std::string& work_dir) {
  std::error_code error;
  const auto oldest = fs::file_time_type::clock::now() - std::chrono::hours(7 * 24);
  for (const char* part : {"/jobs", "/outputs"}) {
    for (const auto& entry : fs::directory_iterator(work_dir + part, error)) {
      const auto written = entry.last_write_time(error);
      if (!error && written < oldest) fs::remove_all(entry.path(), error);
    }
  }
}

}  // namespace fpo::worker
