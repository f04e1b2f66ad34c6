#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/core/lines/audit_entry.h"
#include "coordinator/core/lines/call_tally.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

struct AuditFilter {
  std::string who = {};     // empty: all
  std::string target = {};  // empty: all
  absl::Time since = absl::InfinitePast();
  uint64_t before = 0;  // only older entries; 0: start at the newest
  int32_t limit = 100;
};

// Who changed what, and who was refused: append-only, the newest `keep` entries. Killing the
// program loses none of them, a power cut those of the last second. Thread-safe.
class AuditLog {
 public:
  static constexpr uint64_t kKeep = 100'000;
  // `store` is not owned. The store's error.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(JobStore* store, uint64_t keep = kKeep);

  // Assigns the entry its cursor. A store error is only logged: the call has happened already.
  void Add(AuditEntry entry);
  // For calls that were refused, on any thread: does not touch the disk before the next Flush or
  // Read. Of one caller only the first kRefusedMax (unknown: kUnknownMax) an hour are entries of
  // their own, the others are counted; what is refused cannot push out what happened.
  void AddRefused(AuditEntry entry, bool known);
  static constexpr int64_t kRefusedMax = 100;
  static constexpr int64_t kUnknownMax = 10;
  // Makes added entries durable; a failure is logged. `now` ends the hours of refused calls.
  void Flush(absl::Time now);
  // Newest first.
  absl::StatusOr<std::vector<AuditEntry>> Read(const AuditFilter& filter);

 private:
  AuditLog(JobStore* store, uint64_t keep) : store_(store), keep_(keep) {}
  void Put(AuditEntry entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutRefused() ABSL_LOCKS_EXCLUDED(mu_, refused_mu_);

  JobStore* const store_;
  const uint64_t keep_;
  absl::Mutex mu_;
  uint64_t last_ ABSL_GUARDED_BY(mu_) = 0;
  bool dirty_ ABSL_GUARDED_BY(mu_) = false;

  // Its own: whoever holds the other one may wait for the disk.
  absl::Mutex refused_mu_;
  CallTally tally_ ABSL_GUARDED_BY(refused_mu_);
  std::vector<AuditEntry> refused_ ABSL_GUARDED_BY(refused_mu_);  // not stored yet
};

}  // namespace fpo::coordinator
