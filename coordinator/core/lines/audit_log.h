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
  void Flush();  // makes added entries durable; a failure is logged
  // Newest first.
  absl::StatusOr<std::vector<AuditEntry>> Read(const AuditFilter& filter) const;

 private:
  AuditLog(JobStore* store, uint64_t keep) : store_(store), keep_(keep) {}

  JobStore* const store_;
  const uint64_t keep_;
  absl::Mutex mu_;
  uint64_t last_ ABSL_GUARDED_BY(mu_) = 0;
  bool dirty_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace fpo::coordinator
