#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/listen_options.h"
#include "worker/core/cache_link.h"

namespace fpo::worker {

// CacheLink over gRPC. Small calls and record streams use separate connections. Thread-safe.
class GrpcCacheLink final : public CacheLink {
 public:
  struct Options {
    std::string address;
    TlsFiles tls;
    std::string token = {};  // of a worker; empty: the cache wants none
  };

  // Connects lazily. InvalidArgument: a malformed address or unreadable TLS files.
  static absl::StatusOr<std::unique_ptr<GrpcCacheLink>> Create(const Options& options);
  ~GrpcCacheLink() override;

  std::string address() const override;
  absl::StatusOr<ManifestCount> PutManifest(const ManifestRequest& request,
                                            std::stop_token stop) override;
  absl::StatusOr<RecordClaim> Claim(const ClaimRequest& request) override;
  absl::Status RenewClaim(uint64_t claim, int64_t records_done) override;
  absl::Status ReleaseClaim(uint64_t claim) override;
  absl::StatusOr<StoredRecords> PutRecords(const RecordUpload& upload,
                                           std::stop_token stop) override;
  absl::Status WaitManifest(const Digest& manifest, absl::Duration timeout,
                            const std::function<bool(const ManifestProgress&)>& on_change,
                            std::stop_token stop) override;
  absl::Status PullManifest(const PullRequest& request,
                            const std::function<absl::Status(const RecordFrame&)>& on_frame,
                            std::stop_token stop) override;

 private:
  struct State;
  explicit GrpcCacheLink(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace fpo::worker
