#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/listen_options.h"

namespace fpo::cache {

// Everything fpo-cache can be told. Filled by flags.cc alone.
struct CacheConfig {
  ListenOptions listen = {
      .listen = "127.0.0.1:7080", .http = "127.0.0.1:7081", .port_file = "", .tls = {}};
  std::string data;                          // folder of the store, created when absent
  absl::Duration lease = absl::Seconds(30);  // how long a silent builder keeps its claim
  absl::Duration grace = absl::Seconds(5);   // for running calls at shutdown
  absl::Duration idle = absl::Minutes(2);    // a stream whose peer does nothing is cut after it
  int threads = 16;              // calls in the store at once; more of them share one fsync
  int streams_max = 256;         // open at once
  int64_t block_cache_mib = 64;  // RocksDB's, for the index
  int64_t free_mib_min = 2048;   // writes stop when less is free, or 5 % of the file system
  int64_t keys_in_memory_max = 8'000'000;  // of manifests in use; about 100 bytes each

  // InvalidArgument names the flag and what is allowed.
  absl::Status Validate() const;
};

}  // namespace fpo::cache
