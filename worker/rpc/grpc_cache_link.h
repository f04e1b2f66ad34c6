#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/cache_client/reference_cache_client.h"
#include "common/observe/metrics.h"
#include "common/rpc/listen_options.h"
#include "worker/core/cache_link.h"

namespace fpo::worker {

// CacheLink over the client of all programs. Small calls and record streams use separate
// connections. Thread-safe.
class GrpcCacheLink final : public CacheLink {
 public:
  struct Options {
    std::string address;
    TlsFiles tls;
    std::string token_file = {};          // of a worker; empty: the cache wants none
    MetricsRegistry* registry = nullptr;  // counts calls; outlives the link; null: nobody does
  };

  // Connects lazily. InvalidArgument: a malformed address or unreadable TLS files.
  static absl::StatusOr<std::unique_ptr<GrpcCacheLink>> Create(const Options& options);

  std::string address() const override { return address_; }
  absl::StatusOr<ManifestCount> PutManifest(const NewManifest& manifest,
                                            std::stop_token stop) override {
    return Counted(calls_.PutManifest(manifest, std::move(stop)));
  }
  absl::StatusOr<RecordClaim> Claim(const ClaimRequest& request) override {
    return Counted(calls_.Claim(request));
  }
  absl::Status RenewClaim(uint64_t claim_id, int64_t records_done) override {
    return Counted(calls_.RenewClaim(claim_id, records_done).status());
  }
  absl::Status ReleaseClaim(uint64_t claim_id) override {
    return Counted(calls_.ReleaseClaim(claim_id));
  }
  absl::StatusOr<PutCounts> PutRecords(const RecordUpload& upload, std::stop_token stop) override;
  absl::Status WaitManifest(const Digest& manifest_id, absl::Duration timeout,
                            const std::function<bool(const ManifestProgress&)>& on_change,
                            std::stop_token stop) override {
    return Counted(calls_.WaitManifest(manifest_id, timeout, on_change, std::move(stop)));
  }
  absl::Status PullManifest(const PullRequest& request,
                            const std::function<absl::Status(const RecordFrame&)>& on_frame,
                            std::stop_token stop) override {
    return Counted(calls_.PullManifest(request, on_frame, std::move(stop)));
  }

 private:
  GrpcCacheLink(const Options& options, ReferenceCacheClient calls);

  void Count(const absl::Status& status);
  absl::Status Counted(absl::Status status) {
    Count(status);
    return status;
  }
  template <typename Answer>
  absl::StatusOr<Answer> Counted(absl::StatusOr<Answer> answer) {
    Count(answer.status());
    return answer;
  }

  const std::string address_;
  ReferenceCacheClient calls_;
  Counter answered_;     // also with an error
  Counter unreachable_;  // no answer came, or not in time
};

}  // namespace fpo::worker
