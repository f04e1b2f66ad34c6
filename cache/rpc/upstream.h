#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/statusor.h"
#include "cache/core/collection/key_reservations.h"
#include "cache/core/records/reference_cache.h"
#include "common/cache_client/reference_cache_client.h"
#include "common/rpc/listen_options.h"

namespace fpo::cache {

// The cache that a replica belongs to. Changes are made there, so records are still computed once
// and have one first value; what is read is fetched once and kept. Calls block. Thread-safe.
class Upstream {
 public:
  // Connects lazily. InvalidArgument: a malformed address, unreadable TLS files or token.
  struct Options {
    std::string address;
    TlsFiles tls = {};
    std::string token_file = {};  // of a worker; empty: none
  };
  static absl::StatusOr<std::unique_ptr<Upstream>> Create(const Options& options,
                                                          ReferenceCache* local);

  const std::string& address() const { return address_; }
  // What is done there. Its own errors pass through as they are; Unavailable
  // (UPSTREAM_UNAVAILABLE): it cannot be reached.
  ReferenceCacheClient& calls() { return calls_; }
  // Which records exist there.
  absl::StatusOr<ManifestProgress> Progress(const Digest& manifest_id);

  // Whether the local store lacks records of a manifest that it knows.
  bool MustFetch(const Digest& manifest_id);
  // Fetches what the local store lacks of a manifest that it knows. Readers of one manifest share
  // one transfer. No call when nothing is missing. Takes as long as the transfer, up to an hour, or
  // until Stop. Unavailable: the upstream is unreachable and something is missing.
  absl::Status Fetch(const Digest& manifest_id);
  void Stop() { stop_.request_stop(); }  // ends transfers, those that begin later too

 private:
  Upstream(std::string address, ReferenceCacheClient calls, ReferenceCache* local)
      : address_(std::move(address)), calls_(std::move(calls)), local_(*local) {}

  const std::string address_;
  ReferenceCacheClient calls_;
  ReferenceCache& local_;
  KeyReservations transfers_;  // by manifest id
  std::stop_source stop_;
};

}  // namespace fpo::cache
