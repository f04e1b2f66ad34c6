#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/reference/packed_record.h"
#include "common/values/manifest.h"
#include "common/values/record_claim.h"
#include "common/values/record_transfer.h"

namespace fpo::worker {

// Records that were computed under a claim. They live as long as the call.
struct RecordUpload {
  Digest manifest_id{};
  uint64_t claim_id = 0;
  const std::vector<PackedRecord>& records;
  ComputeCost cost = {};  // of all of them
};

// The reference cache as the reference phase needs it; rpc/grpc_cache_link.h speaks to fpo-cache.
// Calls block, end early with Cancelled when `stop` is requested, and carry the cache's reason word
// (ReasonOf): kUnknownClaim, kStaleClaim, kManifestNotFound, kManifestIncomplete. Thread-safe.
class CacheLink {
 public:
  virtual ~CacheLink() = default;

  virtual std::string address() const = 0;  // for messages
  virtual absl::StatusOr<ManifestCount> PutManifest(const NewManifest& manifest,
                                                    std::stop_token stop) = 0;
  virtual absl::StatusOr<RecordClaim> Claim(const ClaimRequest& request) = 0;
  virtual absl::Status RenewClaim(uint64_t claim_id, int64_t records_done) = 0;
  virtual absl::Status ReleaseClaim(uint64_t claim_id) = 0;
  // Returns when all of `records` are durable.
  virtual absl::StatusOr<PutCounts> PutRecords(const RecordUpload& upload,
                                               std::stop_token stop) = 0;
  // Calls `on_change` now and after each change until it returns false, or `timeout` passed (OK).
  virtual absl::Status WaitManifest(const Digest& manifest_id, absl::Duration timeout,
                                    const std::function<bool(const ManifestProgress&)>& on_change,
                                    std::stop_token stop) = 0;
  // Calls `on_frame` until the end of the request or its first error, which is returned.
  virtual absl::Status PullManifest(const PullRequest& request,
                                    const std::function<absl::Status(const RecordFrame&)>& on_frame,
                                    std::stop_token stop) = 0;
};

}  // namespace fpo::worker
