#include "worker/core/process/process_journal.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/observe/log.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"
#include "worker/core/process/process_table.h"

namespace fpo::worker {
namespace {

constexpr int64_t kJournalBytesMax = 16 << 20;

// 0 or "" where the member is absent or of another type.
int64_t Integer(const nlohmann::json& object, absl::string_view key) {
  int64_t value = 0;
  (void)ReadMember(object, key, &value);
  return value;
}

std::string Text(const nlohmann::json& object, absl::string_view key) {
  std::string value;
  (void)ReadMember(object, key, &value);
  return value;
}

}  // namespace

ProcessJournal::ProcessJournal(std::string path, FileDescriptor lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

absl::StatusOr<std::unique_ptr<ProcessJournal>> ProcessJournal::Open(const std::string& work_dir) {
  std::error_code error;
  std::filesystem::create_directories(work_dir, error);
  if (error) return PosixError(error.value(), "mkdir", work_dir);
  const std::string lock_path = work_dir + "/lock";
  FileDescriptor lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock.is_open()) return PosixError(errno, "open", lock_path);
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("work folder ", work_dir,
                     " belongs to a running agent; stop it or choose another --work-dir"));
  }
  std::unique_ptr<ProcessJournal> journal(
      new ProcessJournal(work_dir + "/processes.json", std::move(lock)));
  FPO_RETURN_IF_ERROR(journal->KillLeftovers());
  return journal;
}

std::vector<ProcessJournal::Entry> ProcessJournal::Read(const std::string& path) {
  std::vector<Entry> entries;
  const absl::StatusOr<std::string> text = ReadFile(path, kJournalBytesMax);
  if (!text.ok()) return entries;
  const absl::StatusOr<nlohmann::json> json = ParseJson(*text);
  if (!json.ok() || !json->is_array()) return entries;
  for (const nlohmann::json& item : *json) {
    Entry entry;
    entry.pid = static_cast<pid_t>(Integer(item, "pid"));
    entry.start_time = static_cast<uint64_t>(Integer(item, "start_time"));
    entry.identity.attempt = {Text(item, "job"), static_cast<int32_t>(Integer(item, "attempt")),
                              static_cast<uint64_t>(Integer(item, "epoch"))};
    entry.identity.rank = static_cast<int32_t>(Integer(item, "rank"));
    entries.push_back(std::move(entry));
  }
  return entries;
}

absl::Status ProcessJournal::KillLeftovers() {
  std::vector<std::string> survivors;
  for (const Entry& entry : Read(path_)) {
    ProcessFilter filter;
    filter.environment = IdentityEnvironment(entry.identity);
    if (ProcessStartTime(entry.pid) == entry.start_time) filter.group = entry.pid;
    if (!FindProcesses(filter).empty()) ++killed_at_start_;
    for (const pid_t pid : KillProcesses(filter, kKillRounds)) {
      survivors.push_back(absl::StrCat(pid));
    }
  }
  if (!survivors.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("processes ", absl::StrJoin(survivors, ", "),
                     " of an earlier agent survive SIGKILL; they may hold devices"));
  }
  absl::MutexLock lock(&mutex_);
  return Write();
}

absl::Status ProcessJournal::Add(pid_t pid, const RankIdentity& identity) {
  const std::optional<uint64_t> start_time = ProcessStartTime(pid);
  if (!start_time) return absl::OkStatus();  // ended already
  absl::MutexLock lock(&mutex_);
  entries_.push_back({pid, *start_time, identity});
  return Write();
}

void ProcessJournal::Remove(pid_t pid) {
  absl::MutexLock lock(&mutex_);
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(),
                                [pid](const Entry& entry) { return entry.pid == pid; }),
                 entries_.end());
  // A stale entry is harmless: its start time no longer matches.
  if (const absl::Status status = Write(); !status.ok()) {
    Log(LogLevel::kWarning, "the list of rank processes cannot be written",
        {{"path", path_}, {"error", std::string(status.message())}});
  }
}

absl::Status ProcessJournal::Write() const {
  std::vector<std::string> items;
  for (const Entry& entry : entries_) {
    JsonObject item;
    item.Add("pid", static_cast<int64_t>(entry.pid));
    item.Add("start_time", entry.start_time);
    item.Add("job", entry.identity.attempt.job_id);
    item.Add("attempt", entry.identity.attempt.attempt);
    item.Add("epoch", entry.identity.attempt.epoch);
    item.Add("rank", entry.identity.rank);
    items.push_back(item.Text());
  }
  return WriteFileAtomically(path_, JsonArray(items) + "\n");
}

}  // namespace fpo::worker
