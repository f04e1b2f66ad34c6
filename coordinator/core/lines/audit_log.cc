#include "coordinator/core/lines/audit_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

constexpr uint64_t kDropped = 1000;  // at a time
constexpr int32_t kPage = 1000;
constexpr size_t kTextMax = 500;  // of a field that the caller chose

void Cut(std::string* text) {
  if (text->size() > kTextMax) text->replace(kTextMax, std::string::npos, "...");
}

bool Matches(const AuditEntry& entry, const AuditFilter& filter) {
  return (filter.who.empty() || entry.who == filter.who) &&
         (filter.target.empty() || entry.target == filter.target) && entry.time >= filter.since;
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(JobStore* store, uint64_t keep) {
  std::unique_ptr<AuditLog> log(new AuditLog(store, keep));
  FPO_ASSIGN_OR_RETURN(const std::vector<AuditEntry> newest, store->ReadAudit(0, 1));
  absl::MutexLock lock(&log->mu_);
  if (!newest.empty()) log->last_ = newest.front().cursor;
  return log;
}

void AuditLog::Add(AuditEntry entry) {
  PutRefused();  // in the order in which they came
  absl::MutexLock lock(&mu_);
  Put(std::move(entry));
}

void AuditLog::Put(AuditEntry entry) {
  for (std::string* text : {&entry.who, &entry.target, &entry.detail, &entry.request_id}) Cut(text);
  entry.cursor = last_ + 1;
  absl::Status status = store_->PutAudit(entry);
  if (status.ok()) {
    last_ = entry.cursor;
    dirty_ = true;
    if (last_ > keep_ && last_ % kDropped == 0) status = store_->DropAuditBefore(last_ - keep_ + 1);
  }
  if (status.ok()) return;
  Log(LogLevel::kError, absl::StrCat("audit: ", status.message()),
      {{"who", entry.who}, {"method", entry.method}, {"target", entry.target}});
}

void AuditLog::AddRefused(AuditEntry entry, bool known) {
  // Kept in memory for a moment.
  for (std::string* text : {&entry.who, &entry.target, &entry.detail, &entry.request_id}) Cut(text);
  absl::MutexLock lock(&refused_mu_);
  const std::string who = known ? entry.who : HostOfPeer(entry.who);
  if (!tally_.Takes(who, known ? kRefusedMax : kUnknownMax, entry)) return;
  refused_.push_back(std::move(entry));  // as many as the tally takes
}

void AuditLog::PutRefused() {
  std::vector<AuditEntry> entries;
  {
    absl::MutexLock lock(&refused_mu_);
    entries.swap(refused_);
  }
  absl::MutexLock lock(&mu_);
  for (AuditEntry& entry : entries) Put(std::move(entry));
}

void AuditLog::Flush(absl::Time now) {
  {
    absl::MutexLock lock(&refused_mu_);
    for (AuditEntry& entry : tally_.TakeEnded(now)) refused_.push_back(std::move(entry));
  }
  PutRefused();
  {
    absl::MutexLock lock(&mu_);
    if (!std::exchange(dirty_, false)) return;
  }
  const absl::Status synced = store_->Sync();
  if (synced.ok()) return;
  absl::MutexLock lock(&mu_);
  dirty_ = true;
}

absl::StatusOr<std::vector<AuditEntry>> AuditLog::Read(const AuditFilter& filter) {
  PutRefused();
  std::vector<AuditEntry> found;
  for (uint64_t before = filter.before;;) {
    FPO_ASSIGN_OR_RETURN(std::vector<AuditEntry> page, store_->ReadAudit(before, kPage));
    for (AuditEntry& entry : page) {
      before = entry.cursor;
      if (entry.time < filter.since) return found;
      if (Matches(entry, filter)) found.push_back(std::move(entry));
      if (found.size() == static_cast<size_t>(filter.limit)) return found;
    }
    if (page.size() < static_cast<size_t>(kPage)) return found;
  }
}

}  // namespace fpo::coordinator
