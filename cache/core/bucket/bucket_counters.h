#pragma once

#include <atomic>
#include <cstdint>

namespace fpo::cache {

// Since start, except `pending`. Each is a separate atomic: together they are not a snapshot.
struct BucketCounters {
  std::atomic<int64_t> pending = 0;  // complete public manifests that are not in the bucket yet
  std::atomic<int64_t> sent_manifests = 0;
  std::atomic<int64_t> sent_bytes = 0;  // of segments
  std::atomic<int64_t> send_failures = 0;
  std::atomic<int64_t> fetched_records = 0;
  std::atomic<int64_t> fetched_bytes = 0;   // of segments
  std::atomic<int64_t> fetch_failures = 0;  // the bucket, or this cache's disk
  std::atomic<int64_t> refused = 0;         // segments and indexes that are damaged or lie
  std::atomic<int64_t> timeouts = 0;        // registrations that did not wait for the end
};

}  // namespace fpo::cache
