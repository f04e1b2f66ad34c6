#include "cache_service/rpc/cache_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cache_service/rpc/convert.h"
#include "cache_service/rpc/pull_manifest_stream.h"
#include "cache_service/rpc/put_manifest_stream.h"
#include "cache_service/rpc/put_records_stream.h"
#include "cache_service/rpc/wait_manifest_stream.h"
#include "cache_service/store/cache_errors.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace fpo::cache {

namespace pb = fpo::v1;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

CacheService::CacheService(const StreamContext& context, std::string version)
    : context_(context), version_(std::move(version)) {}

ServerUnaryReactor* CacheService::Run(CallbackServerContext* call,
                                      std::function<absl::Status()> work) {
  ServerUnaryReactor* reactor = call->DefaultReactor();
  absl::Status refused = RequireDeadline(*call);
  if (refused.ok()) {
    const bool queued = context_.pool->TryRun(
        [reactor, work = std::move(work)] { reactor->Finish(ToGrpcStatus(work())); });
    if (queued) return reactor;
    refused = TooManyCalls();
  }
  reactor->Finish(ToGrpcStatus(refused));
  return reactor;
}

grpc::ServerReadReactor<pb::PutManifestRequest>* CacheService::PutManifest(
    CallbackServerContext* call, pb::PutManifestResponse* response) {
  return new PutManifestStream(context_, call, response);
}

ServerUnaryReactor* CacheService::GetManifest(CallbackServerContext* call,
                                              const pb::GetManifestRequest* request,
                                              pb::GetManifestResponse* response) {
  return Run(call, [this, request, response]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request->manifest_id(), "manifest_id"));
    FPO_ASSIGN_OR_RETURN(const ManifestStatus status, context_.cache->GetManifest(id));
    ToProto(status, response->mutable_manifest());
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::ListManifests(CallbackServerContext* call,
                                                const pb::ListManifestsRequest* /*request*/,
                                                pb::ListManifestsResponse* response) {
  return Run(call, [this, response]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const std::vector<ManifestStatus> list, context_.cache->ListManifests());
    for (const ManifestStatus& status : list) ToProto(status, response->add_manifests());
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::FindMissing(CallbackServerContext* call,
                                              const pb::FindMissingRequest* request,
                                              pb::FindMissingResponse* response) {
  return Run(call, [this, request, response]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const Digest recipe, ReadDigest(request->recipe_id(), "recipe_id"));
    FPO_ASSIGN_OR_RETURN(const std::vector<Digest> keys, ReadKeys(request->keys()));
    FPO_ASSIGN_OR_RETURN(const std::vector<int32_t> missing,
                         context_.cache->FindMissing(recipe, keys));
    response->mutable_missing()->Add(missing.begin(), missing.end());
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::Claim(CallbackServerContext* call,
                                        const pb::ClaimRequest* request,
                                        pb::ClaimResponse* response) {
  return Run(call, [this, request, response]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request->manifest_id(), "manifest_id"));
    if (static_cast<int64_t>(request->builder().size()) > kNameBytesMax) {
      return BadRequest("builder",
                        absl::StrCat(request->builder().size(), " bytes; at most ", kNameBytesMax));
    }
    if (context_.upstream) return context_.upstream->Claim(*request, response);
    FPO_ASSIGN_OR_RETURN(const ClaimGrant grant,
                         context_.cache->Claim(id, request->limit(), request->builder()));
    *response = ToProto(grant);
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::RenewClaim(CallbackServerContext* call,
                                             const pb::RenewClaimRequest* request,
                                             pb::RenewClaimResponse* response) {
  return Run(call, [this, request, response]() -> absl::Status {
    if (context_.upstream) return context_.upstream->RenewClaim(*request, response);
    response->set_lease_ms(ToMilliseconds(context_.cache->lease()));
    return context_.cache->RenewClaim(request->claim_id(), request->records_done());
  });
}

ServerUnaryReactor* CacheService::ReleaseClaim(CallbackServerContext* call,
                                               const pb::ReleaseClaimRequest* request,
                                               pb::ReleaseClaimResponse* response) {
  return Run(call, [this, request, response] {
    if (context_.upstream) return context_.upstream->ReleaseClaim(*request, response);
    return context_.cache->ReleaseClaim(request->claim_id());
  });
}

grpc::ServerBidiReactor<pb::PutRecordsRequest, pb::PutRecordsResponse>* CacheService::PutRecords(
    CallbackServerContext* call) {
  return new PutRecordsStream(context_, call);
}

grpc::ServerWriteReactor<pb::WaitManifestResponse>* CacheService::WaitManifest(
    CallbackServerContext* /*call*/, const pb::WaitManifestRequest* request) {
  return new WaitManifestStream(context_, request);
}

grpc::ServerWriteReactor<pb::PullManifestResponse>* CacheService::PullManifest(
    CallbackServerContext* call, const pb::PullManifestRequest* request) {
  return new PullManifestStream(context_, call, request);
}

ServerUnaryReactor* CacheService::GetRecords(CallbackServerContext* call,
                                             const pb::GetRecordsRequest* request,
                                             pb::GetRecordsResponse* response) {
  return Run(call, [this, request, response]() -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request->manifest_id(), "manifest_id"));
    FPO_ASSIGN_OR_RETURN(const std::vector<Digest> keys, ReadKeys(request->keys()));
    if (context_.upstream) FPO_RETURN_IF_ERROR(context_.upstream->Fetch(id));
    FPO_ASSIGN_OR_RETURN(const auto records, context_.cache->GetRecords(id, keys));
    FPO_ASSIGN_OR_RETURN(*response, ToProto(records));
    context_.bytes_out.Add(static_cast<double>(response->packed().size()));
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::Stats(CallbackServerContext* call,
                                        const pb::StatsRequest* /*request*/,
                                        pb::StatsResponse* response) {
  return Run(call, [this, response]() -> absl::Status {
    *response = ToProto(context_.cache->Totals(), context_.cache->counters());
    response->set_version(version_);
    response->set_read_only(std::string(context_.cache->Writable().message()));
    AddRules(context_.cache->rules(), response);
    FPO_ASSIGN_OR_RETURN(const std::vector<OwnerUse> owners, context_.cache->Owners());
    AddOwners(owners, response);
    return absl::OkStatus();
  });
}

}  // namespace fpo::cache
