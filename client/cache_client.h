#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/interrupt.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::client {

// Calls of the ReferenceCache service that people make; like CoordinatorClient. Thread-safe.
class CacheClient {
 public:
  CacheClient(std::shared_ptr<grpc::Channel> channel, std::string address, Interrupt* interrupt);

  absl::StatusOr<fpo::v1::ListManifestsResponse> ListManifests();
  // `manifest_id` is 32 raw bytes.
  absl::StatusOr<fpo::v1::GetManifestResponse> GetManifest(const std::string& manifest_id);
  absl::StatusOr<fpo::v1::StatsResponse> Stats();

 private:
  template <typename Method, typename Request, typename Response>
  absl::Status Call(Method method, const Request& request, Response* response);

  std::string address_;
  Interrupt* interrupt_;
  std::unique_ptr<fpo::v1::ReferenceCache::Stub> stub_;
};

}  // namespace fpo::client
