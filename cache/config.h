#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/listen_options.h"

namespace fpo::cache {

// The configuration of fpo-cache. Filled only by flags.cc.
struct CacheConfig {
  ListenOptions listen = {
      .listen = "127.0.0.1:7080", .http = "127.0.0.1:7081", .port_file = "", .tls = {}};
  std::string data;                          // folder of the store, created when absent
  absl::Duration lease = absl::Seconds(30);  // how long a silent builder keeps its claim
  absl::Duration grace = absl::Seconds(5);   // for running calls at shutdown
  absl::Duration idle = absl::Minutes(2);    // a stream whose peer is inactive for this long is cut
  int threads = 16;              // calls in the store at once; more of them share one fsync
  int streams_max = 256;         // open at once
  int64_t block_cache_mib = 64;  // RocksDB's, for the index
  int64_t free_mib_min = 2048;   // writes stop when less is free, or 5 % of the file system
  std::string backups;           // folder for copies; empty: none are made
  absl::Duration keep_unused = absl::Hours(24 * 30);  // manifests unused for this long are removed
  absl::Duration gc_every = absl::Hours(1);
  // of records: above it the longest unused manifests are evicted; 0: no limit
  int64_t evict_mib = 0;
  int64_t reject_mib = 0;            // above it new records are rejected; 0: no limit
  int64_t scrub_mib_per_second = 8;  // how fast stored records are compared with their digests
  absl::Duration scrub_every = absl::Hours(24);
  std::string token_file;  // for the cache that this replica belongs to; empty: none
  std::string replica_of;  // address of the cache whose records this one serves; empty: none
  std::string bucket;      // s3://BUCKET[/PREFIX], the second tier; empty: none
  absl::Duration bucket_wait = absl::Seconds(30);  // of a registration, for records of the bucket
  std::vector<std::string> environment = {};       // of this process, "NAME=value"
  std::vector<std::string> failpoints;             // of tests: NAME=ACTION[@N]
  int64_t keys_in_memory_max = 8'000'000;          // of manifests in use; about 100 bytes each

  // InvalidArgument names the flag and what is allowed.
  absl::Status Validate() const;

 private:
  absl::Status CheckRetention() const;
  absl::Status CheckBucket() const;
};

}  // namespace fpo::cache
