#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/core/bucket/bucket_counters.h"
#include "cache/core/bucket/bucket_layout.h"
#include "cache/core/records/reference_cache.h"
#include "common/backoff.h"
#include "common/object_store/object_store.h"

namespace fpo::cache {

// Copies complete manifests that everybody may read to the bucket: segments first, the index last,
// so that readers see all of a manifest or nothing. Writes segments and this site's own indexes,
// deletes nothing. What was sent is known from the bucket, so a restart continues. Step does the
// work, Start gives it a thread.
class BucketWriter {
 public:
  struct Options {
    ObjectName root;
    std::string site;
    std::string folder;  // exists; holds one segment at a time
    int64_t segment_bytes = kSegmentBytes;
    absl::Duration pace = absl::Seconds(10);
    Backoff::Options backoff = {.first = absl::Seconds(10), .most = absl::Minutes(5)};
  };

  BucketWriter(Options options, ObjectStore* objects, ReferenceCache* cache,
               BucketCounters* counters);
  ~BucketWriter();  // Stop

  void Start();
  void RequestStop() { stop_.request_stop(); }
  void Stop();  // RequestStop; ends after the running request

  // Sends everything that was not sent yet. Errors are those of the bucket; a later step goes on
  // where this one ended.
  absl::Status Step();

 private:
  absl::Status ListSent();
  absl::StatusOr<std::vector<ManifestHeader>> Pending();
  // False: its records cannot be read just now, which is logged.
  absl::StatusOr<bool> Send(const ManifestHeader& manifest);
  // The records from ordinal `from` on, as a file in the folder.
  absl::StatusOr<BucketSegment> Pack(const ManifestHeader& manifest, int64_t from);
  absl::Status SendSegment(const BucketSegment& segment);
  void Loop();

  const Options options_;
  ObjectStore& objects_;
  ReferenceCache& cache_;
  BucketCounters& counters_;
  const std::string file_;

  // Used by the thread, or by the caller of Step.
  bool listed_ = false;
  std::set<Digest> sent_;  // manifests of this site that the bucket has

  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace fpo::cache
