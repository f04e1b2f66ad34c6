#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/hash.h"
#include "common/reference/record_file.h"

namespace fpo::worker {

struct ManifestRequest {
  std::string recipe;  // canonical
  std::vector<Digest> keys;
  std::string owner;
  std::string name;
  std::string share = "public";  // who else may read it
};

struct ClaimRequest {
  Digest manifest{};
  int32_t limit = 1;
  std::string builder;     // who computes, for people
  std::string request_id;  // a call that is repeated gets the same claim again
};

struct ManifestCount {
  Digest id{};
  int64_t total = 0;
  int64_t missing = 0;
  // What the present ones took those who computed them; 0: not measured.
  double saved_seconds = 0;
  double saved_flops = 0;
};

// Records that were computed under a claim. They live as long as the call.
struct RecordUpload {
  Digest manifest{};
  uint64_t claim = 0;
  const std::vector<PackedRecord>& records;
  double seconds = 0;  // that computing them took; 0: not measured
  double flops = 0;    // the same
};

struct PullRequest {
  Digest manifest{};
  int64_t from_ordinal = 0;
  std::vector<int64_t> ordinals = {};  // only these, ascending; none: all
};

struct RecordClaim {
  uint64_t id = 0;  // 0: nothing to claim
  std::vector<int64_t> ordinals;
  bool complete = false;       // every record is stored
  absl::Duration retry_after;  // all missing ones are claimed by others until then
  absl::Duration lease;
};

struct StoredRecords {
  int64_t stored = 0;
  int64_t present = 0;
  int64_t conflict = 0;
};

struct ManifestProgress {
  int64_t present = 0;
  int64_t total = 0;
  int64_t claimable = 0;
};

// Records of a manifest in order; the last frame carries a digest over all records since the cursor
// of the call (SequenceDigest).
struct RecordFrame {
  int64_t first_ordinal = 0;
  int64_t count = 0;
  std::string packed;
  std::optional<Digest> sha256_of_digests;
};

// The reference cache as the reference phase needs it; rpc/cache_client speaks to fpo-cache. Calls
// block, end early with Cancelled when `stop` is requested, and carry the cache's reason word
// (ReasonOf): kUnknownClaim, kStaleClaim, kManifestNotFound, kManifestIncomplete. Thread-safe.
class CacheLink {
 public:
  virtual ~CacheLink() = default;

  virtual std::string address() const = 0;  // for messages
  virtual absl::StatusOr<ManifestCount> PutManifest(const ManifestRequest& request,
                                                    std::stop_token stop) = 0;
  virtual absl::StatusOr<RecordClaim> Claim(const ClaimRequest& request) = 0;
  virtual absl::Status RenewClaim(uint64_t claim, int64_t records_done) = 0;
  virtual absl::Status ReleaseClaim(uint64_t claim) = 0;
  // Returns when all of `records` are durable.
  virtual absl::StatusOr<StoredRecords> PutRecords(const RecordUpload& upload,
                                                   std::stop_token stop) = 0;
  // Calls `on_change` now and after each change until it returns false, or `timeout` passed (OK).
  virtual absl::Status WaitManifest(const Digest& manifest, absl::Duration timeout,
                                    const std::function<bool(const ManifestProgress&)>& on_change,
                                    std::stop_token stop) = 0;
  // Calls `on_frame` until the end of what is asked for or its first error, which is returned.
  virtual absl::Status PullManifest(const PullRequest& request,
                                    const std::function<absl::Status(const RecordFrame&)>& on_frame,
                                    std::stop_token stop) = 0;
};

}  // namespace fpo::worker
