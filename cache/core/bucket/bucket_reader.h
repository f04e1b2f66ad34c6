#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cache/core/bucket/bucket_counters.h"
#include "cache/core/bucket/bucket_layout.h"
#include "cache/core/records/reference_cache.h"
#include "common/object_store/object_store.h"

namespace fpo::cache {

// Brings records that a registered manifest lacks from the bucket, whoever put them there: whole
// segments, with every check that the import of a record file makes. What fails one is refused,
// counted and named in the log, and the rest goes on. Thread-safe.
class BucketReader {
 public:
  struct Options {
    ObjectName root;
    std::string folder;                            // exists; holds one segment per thread
    int threads = 2;                               // manifests at once
    size_t waiting_max = 64;                       // further ones are not fetched
    absl::Duration closed = absl::Seconds(60);     // not asked again for this long after an error
    absl::Duration fetch_max = absl::Minutes(30);  // of one manifest
  };

  BucketReader(Options options, ObjectStore* objects, ReferenceCache* cache,
               BucketCounters* counters);
  ~BucketReader();  // Stop

  void Start();
  void RequestStop();  // ends transfers; who waits returns
  void Stop();         // RequestStop; ends after the running request

  // Begins to fetch what the manifest lacks, or joins who does so already, and waits for the end,
  // at most until `until` (as BootNow). The transfer goes on after that: each record that comes
  // before somebody claims it needs no computing.
  void FetchUntil(const Digest& manifest_id, absl::Time until);
  // The same at once, on this thread. An error of the bucket or of the local store.
  absl::Status Fetch(const Digest& manifest_id);

 private:
  // What one manifest lacks.
  struct Wanted {
    Digest manifest_id{};
    Digest recipe_id{};
    absl::flat_hash_map<uint64_t, Digest> keys;  // by their beginning
    std::set<Digest> tried;                      // segments
    absl::Time until;                            // as BootNow
  };
  struct Transfer {
    bool done = false;
  };

  absl::StatusOr<Wanted> WantedBy(const Digest& manifest_id);
  // Of the same recipe; those of the manifest itself first.
  absl::StatusOr<std::vector<IndexName>> IndexesFor(const Wanted& wanted);
  absl::Status UseIndex(const IndexName& name, Wanted* wanted);
  absl::Status UseSegment(const BucketSegment& segment, Wanted* wanted);
  absl::Status Download(const BucketSegment& segment, const std::string& path);
  absl::Status StoreRecords(const std::string& path, Wanted* wanted);
  // Begins or joins the transfer; false: its end was not reached.
  bool Await(const Digest& manifest_id, absl::Time until);
  void Loop();
  std::optional<Digest> Next();
  void End(const Digest& manifest_id, const absl::Status& status);
  bool HasWorkOrStops() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stop_.stop_requested() || !queue_.empty();
  }

  const Options options_;
  ObjectStore& objects_;
  ReferenceCache& cache_;
  BucketCounters& counters_;
  std::stop_source stop_;

  absl::Mutex mutex_;
  std::deque<Digest> queue_ ABSL_GUARDED_BY(mutex_);
  std::map<Digest, std::shared_ptr<Transfer>> transfers_ ABSL_GUARDED_BY(mutex_);
  absl::Time closed_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::vector<std::thread> threads_;
};

}  // namespace fpo::cache
