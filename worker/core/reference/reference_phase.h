#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "worker/core/cache_link.h"
#include "worker/core/coordinator_link.h"
#include "worker/core/reference/record_store.h"
#include "worker/core/reference/response_scorer.h"

namespace fpo::worker {

// Reports the phase's progress to its attempt, on the phase's thread.
class ReferenceObserver {
 public:
  virtual ~ReferenceObserver() = default;
  virtual void OnRecords(int64_t present, int64_t total) = 0;  // in the cache
  virtual void OnCacheUse(const CacheUse& use) = 0;
  virtual void Note(const std::string& text) = 0;  // for the job's log
  // What is waited for, in words; empty: no longer.
  virtual void OnWaiting(const std::string& what) = 0;
  virtual void OnComputed(int64_t records) = 0;
  virtual void OnPulled(int64_t records) = 0;
};

struct ReferenceRequest {
  std::string prepared;  // folder with reference.json and reference.keys
  std::string scratch;   // for segments not yet in the cache
  std::string builder;   // who computes, for people
  std::string owner;
  std::string name;
  std::string share = "public";  // who else may read the records
};

// The reference phase of an attempt: registers the job's keys, computes what no job has computed,
// waits for what others compute, and pulls the whole set into a local record file. Starts no
// process when nothing is missing. Not thread-safe.
class ReferencePhase {
 public:
  struct Options {
    int32_t claim_records = 256;
    int32_t first_segment_records = 16;  // later ones grow or shrink to take about segment_time
    absl::Duration segment_time = absl::Seconds(5);
    absl::Duration wait_time = absl::Seconds(5);  // one WaitManifest
    absl::Duration patience = absl::Minutes(2);   // with a cache that does not answer
    Backoff::Options backoff;
    // False while the coordinator has been silent for a lease: another builder may have taken over,
    // so nothing new is claimed.
    std::function<bool()> may_claim = [] { return true; };
    // decides when claims are renewed
    std::function<absl::Time()> now = [] { return BootNow(); };
  };

  ReferencePhase(Options options, CacheLink* cache, RecordStore* store, ResponseScorer* scorer,
                 ReferenceObserver* observer);

  // The path of the verified record file. Cancelled: stopped; Unavailable: the cache was
  // unreachable for longer than `patience`, or keeps losing records; DataLoss: bad files of the
  // prepare phase; other errors are the scorer's or the cache's.
  absl::StatusOr<std::string> Run(const ReferenceRequest& request, std::stop_token stop);
  const CacheUse& use() const { return use_; }

 private:
  struct HeldClaim;
  // The cost of computing a segment.
  struct Cost {
    absl::Duration time;
    double flops = 0;  // 0: unknown
  };

  absl::Status ReadPlan();
  absl::Status Register();
  absl::Status ComputeMissing();
  absl::Status WaitForOthers(const RecordClaim& claim);
  absl::Status WorkOff(const RecordClaim& claim);
  absl::Status ScoreSegment(HeldClaim* held, size_t count);
  absl::Status CheckSegment(const HeldClaim& held, const std::vector<PackedRecord>& records) const;
  absl::Status Upload(HeldClaim* held, const std::string& file, const Cost& cost);
  void RenewWhenDue(HeldClaim* held, int64_t done);
  void AdaptSegment(size_t count, absl::Duration took);
  // Retries a call to the cache while that can help.
  absl::Status Persist(const char* what, const std::function<absl::Status()>& call);
  absl::StatusOr<std::string> Pull();
  void SaySilent(const char* what, const absl::Status& status);

  const Options options_;
  CacheLink* const cache_;
  RecordStore* const store_;
  ResponseScorer* const scorer_;
  ReferenceObserver* const observer_;
  ReferenceRequest request_;
  std::stop_token stop_;
  RecordList list_;
  ManifestCount count_;
  CacheUse use_;
  int64_t stored_by_us_ = 0;
  int lost_claims_ = 0;                           // in a row, without a record stored
  absl::Duration waited_ = absl::ZeroDuration();  // for a cache that did not answer
  size_t segment_records_;
};

}  // namespace fpo::worker
