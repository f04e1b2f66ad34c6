#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/config.h"
#include "cache/core/bucket/bucket_counters.h"
#include "cache/core/bucket/bucket_reader.h"
#include "cache/core/bucket/bucket_writer.h"
#include "common/object_store/object_store.h"
#include "common/observe/metrics.h"
#include "common/rpc/work_pool.h"

namespace fpo::cache {

// The bucket of --bucket: the connection, what goes there, what comes from there, their numbers.
// Thread-safe.
class BucketTier {
 public:
  // Makes DATA/bucket, which holds this site's id; asks the bucket nothing yet. InvalidArgument
  // names a variable of the environment. Cache and registry outlive it.
  static absl::StatusOr<std::unique_ptr<BucketTier>> Open(const CacheConfig& config,
                                                          ReferenceCache* cache,
                                                          MetricsRegistry* registry);
  // The same with another store.
  static absl::StatusOr<std::unique_ptr<BucketTier>> OpenWith(std::unique_ptr<ObjectStore> objects,
                                                              const CacheConfig& config,
                                                              ReferenceCache* cache);
  ~BucketTier();  // Stop
  // Names the series of a cache without a bucket: nothing was sent or fetched, nothing is pending.
  static void Declare(MetricsRegistry* registry);

  void Start();
  void RequestStop();
  void Stop();  // ends after the running requests; what Fill promised has been called

  // Calls `then`, on a thread of its own pool, when the manifest's records that the bucket has are
  // here, or after --bucket-wait.
  void Fill(const Digest& manifest_id, std::function<void()> then);

  const std::string& site() const { return site_; }
  const BucketCounters& counters() const { return counters_; }

 private:
  BucketTier(std::unique_ptr<ObjectStore> objects, std::string site, absl::Duration wait)
      : objects_(std::move(objects)), site_(std::move(site)), wait_(wait) {}
  void Show(MetricsRegistry* registry);

  const std::unique_ptr<ObjectStore> objects_;
  const std::string site_;
  const absl::Duration wait_;
  BucketCounters counters_;
  std::unique_ptr<BucketWriter> writer_;
  std::unique_ptr<BucketReader> reader_;
  std::unique_ptr<WorkPool> waits_;
};

}  // namespace fpo::cache
