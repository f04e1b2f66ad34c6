#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/values/manifest.h"
#include "common/values/record_claim.h"
#include "common/values/record_transfer.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo {

// What the programs that call a cache do differently.
struct CacheCallPolicy {
  using Call = std::function<grpc::Status()>;

  // Deadlines. Calls that move data have one for the whole call: whoever was cut off resumes.
  absl::Duration unary_time = kUnaryDeadline;
  absl::Duration release_time = kUnaryDeadline;
  absl::Duration manifest_time = absl::Minutes(5);  // PutManifest
  absl::Duration upload_time = absl::Minutes(5);
  absl::Duration pull_time = absl::Hours(1);
  absl::Duration upkeep_time = absl::Hours(4);  // what reads a whole store: Verify, Gc, ...

  std::stop_token stop = {};  // cancels every call
  // Makes a unary call, again where that helps. All of them may be repeated.
  std::function<grpc::Status(const Call&)> make = [](const Call& call) { return call(); };
  // A failed call in the words of the program.
  std::function<absl::Status(const grpc::Status&)> explain = FromGrpcStatus;
};

// The calls of the ReferenceCache service. They block, and end early with Cancelled when a stop is
// requested. Values cross as those of common/values; what only people read stays a message.
// Thread-safe.
class ReferenceCacheClient {
 public:
  // `bulk` carries what moves records and keys; the same as `control` where that may wait.
  ReferenceCacheClient(const std::shared_ptr<grpc::Channel>& control,
                       const std::shared_ptr<grpc::Channel>& bulk, CacheCallPolicy policy = {});

  // What a builder does.
  absl::StatusOr<ManifestCount> PutManifest(const NewManifest& manifest, std::stop_token stop = {});
  absl::StatusOr<RecordClaim> Claim(const ClaimRequest& request);
  absl::StatusOr<absl::Duration> RenewClaim(uint64_t claim_id, int64_t records_done);  // the lease
  absl::Status ReleaseClaim(uint64_t claim_id);
  // In one stream; returns when all are durable. The first that is refused ends it, those before
  // are stored.
  absl::StatusOr<PutCounts> PutRecords(const Digest& manifest_id,
                                       absl::Span<const PutBatch> batches,
                                       std::stop_token stop = {});
  // Calls `on_change` now and after each change until it returns false, or `timeout` passed (OK).
  absl::Status WaitManifest(const Digest& manifest_id, absl::Duration timeout,
                            const std::function<bool(const ManifestProgress&)>& on_change,
                            std::stop_token stop = {});
  // Calls `on_frame` until the end of what is asked for or its first error, which is returned.
  absl::Status PullManifest(const PullRequest& request,
                            const std::function<absl::Status(const RecordFrame&)>& on_frame,
                            std::stop_token stop = {});

  // What people do.
  absl::StatusOr<fpo::v1::GetManifestResponse> GetManifest(const Digest& manifest_id);
  absl::StatusOr<fpo::v1::ListManifestsResponse> ListManifests();
  absl::StatusOr<fpo::v1::ListRecipesResponse> ListRecipes();
  absl::StatusOr<fpo::v1::StatsResponse> Stats();
  absl::Status Pin(const Digest& manifest_id, std::optional<absl::Time> until);  // none: no end
  absl::Status Unpin(const Digest& manifest_id);
  // Calls `on_report` as it goes; the last one is done. No id: the whole cache.
  absl::Status Verify(const std::optional<Digest>& manifest_id,
                      const std::function<void(const fpo::v1::VerifyResponse&)>& on_report);
  // No keys: all of the manifest.
  absl::StatusOr<fpo::v1::QuarantineResponse> Quarantine(const Digest& manifest_id,
                                                         absl::Span<const Digest> keys,
                                                         const std::string& reason);
  absl::StatusOr<fpo::v1::ListQuarantinedResponse> ListQuarantined();
  absl::StatusOr<fpo::v1::GcResponse> Gc(bool dry_run);
  absl::StatusOr<fpo::v1::BackupResponse> Backup();

 private:
  template <typename Request, typename Response>
  using Method = grpc::Status (fpo::v1::ReferenceCache::Stub::*)(grpc::ClientContext*,
                                                                 const Request&, Response*);
  template <typename Request, typename Response>
  absl::StatusOr<Response> Unary(Method<Request, Response> method, const Request& request,
                                 absl::Duration timeout);

  CacheCallPolicy policy_;
  std::unique_ptr<fpo::v1::ReferenceCache::Stub> control_;
  std::unique_ptr<fpo::v1::ReferenceCache::Stub> bulk_;
};

}  // namespace fpo
