#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "worker/core/cache_link.h"

namespace fpo::testing {

// A reference cache in memory with switches for what can go wrong. Thread-safe.
class FakeCacheLink : public worker::CacheLink {
 public:
  // Switches and counters; set before use, read after it.
  std::set<Digest> claimed_by_others;
  int others_finish_after_waits = 1;  // WaitManifest calls until they stored theirs
  int lost_claims = 0;                // this many first uploads get UNKNOWN_CLAIM
  int unreachable_calls = 0;          // this many next calls fail with UNAVAILABLE
  int broken_pulls = 0;               // this many streams break after `records_per_pull`
  int corrupt_frames = 0;             // this many frames arrive with a flipped bit
  bool sends_foreign_record = false;  // in place of ordinal 5
  int64_t records_per_frame = 4;
  absl::Duration lease = absl::Seconds(30);
  std::function<absl::Time()> now;  // set: a claim ends when it is not renewed for a lease

  void Store(const std::vector<Digest>& keys);  // as if another job had computed them
  int64_t stored() const;
  double flops() const;  // that the uploads said they took
  int claims() const;
  int renewals() const;
  int releases() const;
  int pulls() const;
  std::vector<int64_t> pull_cursors() const;
  std::vector<int64_t> pulled() const;  // ordinals that were sent, by all streams

  std::string address() const override { return "127.0.0.1:7080"; }
  absl::StatusOr<ManifestCount> PutManifest(const NewManifest& manifest,
                                            std::stop_token stop) override;
  absl::StatusOr<RecordClaim> Claim(const ClaimRequest& request) override;
  absl::Status RenewClaim(uint64_t claim, int64_t records_done) override;
  absl::Status ReleaseClaim(uint64_t claim) override;
  absl::StatusOr<PutCounts> PutRecords(const worker::RecordUpload& upload,
                                       std::stop_token stop) override;
  absl::Status WaitManifest(const Digest& manifest, absl::Duration timeout,
                            const std::function<bool(const ManifestProgress&)>& on_change,
                            std::stop_token stop) override;
  absl::Status PullManifest(const PullRequest& request,
                            const std::function<absl::Status(const RecordFrame&)>& on_frame,
                            std::stop_token stop) override;

 private:
  void Expire() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Reach() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t Missing() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::vector<Digest> keys_ ABSL_GUARDED_BY(mutex_);
  std::map<Digest, PackedRecord> records_ ABSL_GUARDED_BY(mutex_);
  std::map<Digest, uint64_t> holders_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, absl::Time> live_ ABSL_GUARDED_BY(mutex_);  // with the end of the lease
  uint64_t last_claim_ ABSL_GUARDED_BY(mutex_) = 0;
  double flops_ ABSL_GUARDED_BY(mutex_) = 0;
  int waits_ ABSL_GUARDED_BY(mutex_) = 0;
  int claims_ ABSL_GUARDED_BY(mutex_) = 0;
  int renewals_ ABSL_GUARDED_BY(mutex_) = 0;
  int releases_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<int64_t> pull_cursors_ ABSL_GUARDED_BY(mutex_);
  std::vector<int64_t> pulled_ ABSL_GUARDED_BY(mutex_);
};

// What a test's scorer computes for a key.
PackedRecord FakeRecord(const Digest& key);

}  // namespace fpo::testing
