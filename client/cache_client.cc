#include "client/cache_client.h"

#include <utility>

#include "client/rpc_status.h"
#include "common/rpc/deadline.h"
#include "common/status_macros.h"

namespace fpo::client {

namespace pb = fpo::v1;

CacheClient::CacheClient(std::shared_ptr<grpc::Channel> channel, std::string address,
                         Interrupt* interrupt)
    : address_(std::move(address)),
      interrupt_(interrupt),
      stub_(pb::ReferenceCache::NewStub(channel)) {}

template <typename Method, typename Request, typename Response>
absl::Status CacheClient::Call(Method method, const Request& request, Response* response) {
  grpc::ClientContext context;
  SetDeadline(&context, kUnaryDeadline);
  Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
  const grpc::Status status = (stub_.get()->*method)(&context, request, response);
  return CallError(status, {"cache", address_, "--cache-server or FPO_CACHE_SERVER", "fpo-cache",
                            interrupt_->raised()});
}

absl::StatusOr<pb::ListManifestsResponse> CacheClient::ListManifests() {
  pb::ListManifestsResponse response;
  FPO_RETURN_IF_ERROR(
      Call(&pb::ReferenceCache::Stub::ListManifests, pb::ListManifestsRequest(), &response));
  return response;
}

absl::StatusOr<pb::GetManifestResponse> CacheClient::GetManifest(const std::string& manifest_id) {
  pb::GetManifestRequest request;
  request.set_manifest_id(manifest_id);
  pb::GetManifestResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::ReferenceCache::Stub::GetManifest, request, &response));
  return response;
}

absl::StatusOr<pb::StatsResponse> CacheClient::Stats() {
  pb::StatsResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::ReferenceCache::Stub::Stats, pb::StatsRequest(), &response));
  return response;
}

}  // namespace fpo::client
