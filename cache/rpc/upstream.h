#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cache/core/collection/key_reservations.h"
#include "cache/core/records/reference_cache.h"
#include "common/rpc/listen_options.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// The cache that a replica belongs to. What changes something is done there, so records are still
// computed once and have one first value; what is read is fetched once and kept. Calls block.
// Thread-safe.
class Upstream {
 public:
  // Connects lazily. InvalidArgument: a malformed address, unreadable TLS files or token.
  struct Options {
    std::string address;
    TlsFiles tls = {};
    std::string token_file = {};  // of a worker; empty: the cache there wants none
  };
  static absl::StatusOr<std::unique_ptr<Upstream>> Create(const Options& options,
                                                          ReferenceCache* local);

  const std::string& address() const { return address_; }
  absl::Status PutManifest(const NewManifest& manifest, fpo::v1::PutManifestResponse* response);
  absl::Status Claim(const fpo::v1::ClaimRequest& request, fpo::v1::ClaimResponse* response);
  absl::Status RenewClaim(const fpo::v1::RenewClaimRequest& request,
                          fpo::v1::RenewClaimResponse* response);
  absl::Status ReleaseClaim(const fpo::v1::ReleaseClaimRequest& request,
                            fpo::v1::ReleaseClaimResponse* response);
  // One batch; the answer is that of a stream with this batch alone.
  absl::Status PutRecords(const fpo::v1::PutRecordsRequest& batch,
                          fpo::v1::PutRecordsResponse* response);
  // Which records exist there.
  absl::StatusOr<ManifestView> View(const Digest& manifest_id);

  // Brings what the local store lacks of a manifest that it knows. Readers of one manifest wait for
  // one transfer. Nothing missing: no call. Unavailable: the upstream is away and something is
  // missing.
  absl::Status Fetch(const Digest& manifest_id);

 private:
  Upstream(std::string address, ReferenceCache* local)
      : address_(std::move(address)), local_(*local) {}
  absl::Status Explain(const grpc::Status& status) const;

  const std::string address_;
  ReferenceCache& local_;
  std::unique_ptr<fpo::v1::ReferenceCache::Stub> stub_;
  KeyReservations transfers_;  // by manifest id
};

}  // namespace fpo::cache
