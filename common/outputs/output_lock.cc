#include "common/outputs/output_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/failpoint.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/hash.h"
#include "common/outputs/publish.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLockBytesMax = 4096;
// Takers change places within milliseconds; one that does not is stopped.
constexpr absl::Duration kTurnWait = absl::Seconds(10);
constexpr absl::Duration kTurnLook = absl::Milliseconds(5);

std::string LockPath(const std::string& folder) { return folder + "/.lock"; }

std::string ToText(const OutputHolder& holder) {
  nlohmann::ordered_json json;
  json["job"] = holder.job_id;
  json["attempt"] = holder.attempt;
  json["epoch"] = holder.epoch;
  json["host"] = holder.host;
  json["pid"] = holder.pid;
  json["since"] = holder.since;
  json["nonce"] = holder.nonce;
  return json.dump() + "\n";
}

absl::StatusOr<OutputHolder> FromText(const std::string& text) {
  FPO_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  OutputHolder holder;
  int64_t attempt = 0;
  int64_t epoch = 0;
  FPO_RETURN_IF_ERROR(ReadMember(json, "job", &holder.job_id));
  FPO_RETURN_IF_ERROR(ReadMember(json, "attempt", &attempt));
  FPO_RETURN_IF_ERROR(ReadMember(json, "epoch", &epoch));
  FPO_RETURN_IF_ERROR(ReadMember(json, "nonce", &holder.nonce));
  (void)ReadMember(json, "host", &holder.host);
  (void)ReadMember(json, "pid", &holder.pid);
  (void)ReadMember(json, "since", &holder.since);
  holder.attempt = static_cast<int32_t>(attempt);
  holder.epoch = static_cast<uint64_t>(epoch);
  return holder;
}

// True also where locks are not to be had: the file's content decides there.
bool TryLock(const FileDescriptor& file) {
  while (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno != EWOULDBLOCK;
  }
  return true;
}

FileDescriptor OpenLock(const std::string& folder) {
  return FileDescriptor(open(LockPath(folder).c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
}

absl::Status InUse(const std::string& folder, const OutputHolder& there) {
  return absl::FailedPreconditionError(
      absl::StrCat("output folder ", folder, " is in use by ", there.Describe(),
                   "; two runs in one folder would overwrite each other: choose another, or wait "
                   "for its end"));
}

absl::Status Fenced(const std::string& folder, const std::optional<OutputHolder>& there) {
  return absl::FailedPreconditionError(absl::StrCat(
      "output folder ", folder, " is no longer this process's: it belongs to ",
      there.has_value() ? there->Describe() : "no one (its .lock was removed or damaged)",
      "; nothing more is written"));
}

// The turn to change the holder: a lock of the folder itself, held for milliseconds.
absl::StatusOr<FileDescriptor> TakeTurn(const std::string& folder) {
  FileDescriptor turn(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!turn.is_open()) return PosixError(errno, "open", folder);
  const absl::Time deadline = BootNow() + kTurnWait;
  while (!TryLock(turn)) {
    if (BootNow() > deadline) {
      return absl::UnavailableError(absl::StrCat("output folder ", folder,
                                                 ": another process has been taking it for ",
                                                 absl::FormatDuration(kTurnWait)));
    }
    absl::SleepFor(kTurnLook);
  }
  return turn;
}

bool IsBuilding(const std::string& name) {
  if (absl::StartsWith(name, ".writable-")) return false;  // every rank's probe
  return absl::EndsWith(name, ".tmp") || absl::EndsWith(name, ".old") ||
         absl::StrContains(name, ".tmp-") || absl::StrContains(name, ".old-");
}

// Takes the names from under whoever builds there. Returns what is left to remove.
std::vector<fs::path> RenameBuildings(const std::string& folder, const std::string& nonce) {
  std::vector<fs::path> doomed;
  std::error_code error;
  std::vector<std::string> places = {"", "/checkpoints", "/evaluations"};
  for (const auto& entry : fs::directory_iterator(folder + "/evaluations", error)) {  // of sets
    if (entry.is_directory(error)) {
      places.push_back("/evaluations/" + entry.path().filename().string());
    }
  }
  for (const std::string& below : places) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder + below, error)) {
      if (IsBuilding(entry.path().filename().string())) found.push_back(entry.path());
    }
    for (const fs::path& path : found) {
      const fs::path to = absl::StrCat(path.string(), ".old-", nonce);
      fs::rename(path, to, error);
      if (!error) doomed.push_back(to);
    }
  }
  return doomed;
}

// Locked before it is visible, so that no one can get between.
absl::StatusOr<FileDescriptor> PutLock(const std::string& folder, const OutputHolder& holder) {
  const std::string path = LockPath(folder);
  const std::string made = absl::StrCat(path, ".", holder.nonce, ".tmp");
  FileDescriptor file(open(made.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file.is_open()) return PosixError(errno, "create", made);
  absl::Status status = WriteAll(file, ToText(holder), made);
  if (status.ok() && fsync(file.get()) != 0) status = PosixError(errno, "fsync", made);
  (void)TryLock(file);
  if (status.ok() && rename(made.c_str(), path.c_str()) != 0) {
    status = PosixError(errno, "rename", made);
  }
  if (!status.ok()) {
    unlink(made.c_str());
    return status;
  }
  FPO_RETURN_IF_ERROR(SyncFolder(folder));
  return file;
}

// Whether `holder` may take the folder from the one that is there.
absl::Status MayTake(const std::string& folder, const OutputHolder& holder,
                     const OutputHolder& there) {
  const bool same_job = !holder.job_id.empty() && holder.job_id == there.job_id;
  if (same_job && there.epoch > holder.epoch) return Fenced(folder, there);
  if (same_job && there.epoch < holder.epoch) return absl::OkStatus();
  const FileDescriptor file = OpenLock(folder);
  return !file.is_open() || TryLock(file) ? absl::OkStatus() : InUse(folder, there);
}

}  // namespace

std::string OutputHolder::Describe() const {
  const std::string what =
      job_id.empty() ? std::string("a run started by hand")
                     : absl::StrCat("attempt ", attempt, " (epoch ", epoch, ") of job ", job_id);
  return absl::StrCat(what, ", process ", pid, " on ", host, ", since ", since);
}

OutputHolder HolderOf(const std::string& attempt_text) {
  OutputHolder holder;
  const std::vector<std::string> parts = absl::StrSplit(attempt_text, '/');
  if (parts.size() == 3 && absl::SimpleAtoi(parts[1], &holder.attempt) &&
      absl::SimpleAtoi(parts[2], &holder.epoch)) {
    holder.job_id = parts[0];
  }
  std::array<char, 256> host = {};
  if (gethostname(host.data(), host.size() - 1) == 0) holder.host = host.data();
  holder.pid = getpid();
  holder.since = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
  holder.nonce = RandomId(8);
  return holder;
}

std::optional<OutputHolder> LastHolderOf(const std::string& folder) {
  const absl::StatusOr<std::string> text = ReadFile(LockPath(folder), kLockBytesMax);
  if (!text.ok()) return std::nullopt;
  absl::StatusOr<OutputHolder> holder = FromText(*text);
  if (!holder.ok()) return std::nullopt;
  return *std::move(holder);
}

bool IsOutputLocked(const std::string& folder) {
  const FileDescriptor file = OpenLock(folder);
  return file.is_open() && !TryLock(file);
}

absl::StatusOr<std::unique_ptr<OutputLock>> OutputLock::Take(const std::string& folder,
                                                             OutputHolder holder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return PosixError(error.value(), "make the folder", folder);
  FPO_ASSIGN_OR_RETURN(FileDescriptor turn, TakeTurn(folder));
  const std::optional<OutputHolder> there = LastHolderOf(folder);
  if (there.has_value()) FPO_RETURN_IF_ERROR(MayTake(folder, holder, *there));
  FPO_FAILPOINT("output_lock.may_take");
  FPO_ASSIGN_OR_RETURN(FileDescriptor file, PutLock(folder, holder));
  const std::vector<fs::path> doomed = RenameBuildings(folder, holder.nonce);
  turn.Close();
  for (const fs::path& path : doomed) fs::remove_all(path, error);
  std::unique_ptr<OutputLock> lock(new OutputLock(folder, std::move(holder), std::move(file)));
  // Where the file system has no locks, the last one to rename has won.
  FPO_RETURN_IF_ERROR(lock->Check());
  const OutputHolder& mine = lock->holder_;
  SetPublishGuard({folder,
                   mine.job_id.empty() ? absl::StrCat("p", mine.pid)
                                       : absl::StrCat("a", mine.attempt, "-e", mine.epoch),
                   [lock = lock.get()] { return lock->Check(); }});
  return lock;
}

OutputLock::~OutputLock() { ClearPublishGuard(); }

absl::Status OutputLock::Check() const {
  const std::optional<OutputHolder> there = LastHolderOf(folder_);
  if (there.has_value() && there->nonce == holder_.nonce) return absl::OkStatus();
  return Fenced(folder_, there);
}

}  // namespace fpo
