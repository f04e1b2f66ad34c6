#pragma once

#include <grpcpp/channel.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/rpc/deadline.h"
#include "ctl/interrupt.h"
#include "ctl/rpc/patience.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::ctl {

// Calls of the ReferenceCache service that people make; like CoordinatorClient. Thread-safe.
class CacheClient {
 public:
  CacheClient(std::shared_ptr<grpc::Channel> channel, std::string address, Interrupt* interrupt);

  absl::StatusOr<fpo::v1::ListManifestsResponse> ListManifests();
  // `manifest_id` is 32 raw bytes.
  absl::StatusOr<fpo::v1::GetManifestResponse> GetManifest(const std::string& manifest_id);
  absl::StatusOr<fpo::v1::StatsResponse> Stats();
  absl::StatusOr<fpo::v1::ListRecipesResponse> ListRecipes();
  absl::Status Pin(const fpo::v1::PinRequest& request);
  absl::Status Unpin(const std::string& manifest_id);
  // Calls `on_report` as it goes; the last one is done. An empty id: the whole cache.
  absl::Status Verify(const std::string& manifest_id,
                      const std::function<void(const fpo::v1::VerifyResponse&)>& on_report);
  absl::StatusOr<fpo::v1::QuarantineResponse> Quarantine(const fpo::v1::QuarantineRequest& request);
  absl::StatusOr<fpo::v1::ListQuarantinedResponse> ListQuarantined();
  absl::StatusOr<fpo::v1::GcResponse> Gc(bool dry_run);  // takes minutes on a large cache
  absl::StatusOr<fpo::v1::BackupResponse> Backup();      // the same

  // Records from an ordinal on, to the end or the first error of `on_frame`, which is returned.
  absl::Status Pull(
      const std::string& manifest_id, int64_t from_ordinal,
      const std::function<absl::Status(const fpo::v1::PullManifestResponse&)>& on_frame);
  // Raw keys, one after the other.
  absl::StatusOr<fpo::v1::PutManifestResponse> PutManifest(const fpo::v1::ManifestHeader& header,
                                                           const std::string& keys);
  absl::StatusOr<fpo::v1::ClaimResponse> Claim(const fpo::v1::ClaimRequest& request);
  // Returns when every batch is durable; stops at the first that is refused.
  absl::StatusOr<fpo::v1::PutRecordsResponse> PutRecords(
      const std::vector<fpo::v1::PutRecordsRequest>& batches);

 private:
  template <typename Method, typename Request, typename Response>
  absl::Status Call(Method method, const Request& request, Response* response,
                    absl::Duration timeout = kUnaryDeadline);
  absl::Status Error(const grpc::Status& status) const;

  std::string address_;
  Interrupt* interrupt_;
  Patience patience_;
  std::unique_ptr<fpo::v1::ReferenceCache::Stub> stub_;
};

}  // namespace fpo::ctl
