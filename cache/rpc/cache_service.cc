#include "cache/rpc/cache_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/core/records/manifest_access.h"
#include "cache/rpc/convert.h"
#include "cache/rpc/pull_manifest_stream.h"
#include "cache/rpc/put_manifest_stream.h"
#include "cache/rpc/put_records_stream.h"
#include "cache/rpc/wait_manifest_stream.h"
#include "common/rpc/streams/refused_call.h"
#include "common/status_macros.h"
#include "common/wire/wire_time.h"

namespace fpo::cache {

namespace pb = fpo::v1;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

namespace {

absl::Status CheckName(const std::string& field, const std::string& name) {
  if (static_cast<int64_t>(name.size()) <= kNameBytesMax) return absl::OkStatus();
  return BadRequest(field, absl::StrCat(name.size(), " bytes; at most ", kNameBytesMax));
}

}  // namespace

CacheService::CacheService(const StreamContext& context, std::string version)
    : context_(context), version_(std::move(version)) {}

ServerUnaryReactor* CacheService::Run(CallbackServerContext* call, Role least, Work work) {
  return AnswerOnPool({call, context_.access, context_.pool, least, "the cache"}, std::move(work));
}

grpc::ServerReadReactor<pb::PutManifestRequest>* CacheService::PutManifest(
    CallbackServerContext* call, pb::PutManifestResponse* response) {
  const absl::StatusOr<Principal> caller = context_.access->Admit(*call, Role::kWorker);
  if (!caller.ok())
    return new RefusedCall<grpc::ServerReadReactor<pb::PutManifestRequest>>(caller.status());
  return new PutManifestStream(context_, call, response, *caller);
}

ServerUnaryReactor* CacheService::GetManifest(CallbackServerContext* call,
                                              const pb::GetManifestRequest* request,
                                              pb::GetManifestResponse* response) {
  return Run(
      call, Role::kReader, [this, request, response](const Principal& caller) -> absl::Status {
        FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request->manifest_id(), "manifest_id"));
        FPO_RETURN_IF_ERROR(context_.cache->CheckMayRead(id, caller));
        FPO_ASSIGN_OR_RETURN(const ManifestStatus status, context_.cache->GetManifest(id));
        ToProto(status, response->mutable_manifest());
        return absl::OkStatus();
      });
}

ServerUnaryReactor* CacheService::ListManifests(CallbackServerContext* call,
                                                const pb::ListManifestsRequest* /*request*/,
                                                pb::ListManifestsResponse* response) {
  return Run(call, Role::kReader, [this, response](const Principal& caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const std::vector<ManifestStatus> list, context_.cache->ListManifests());
    for (const ManifestStatus& status : list) {
      if (MayRead(status.header, caller).ok()) ToProto(status, response->add_manifests());
    }
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::FindMissing(CallbackServerContext* call,
                                              const pb::FindMissingRequest* request,
                                              pb::FindMissingResponse* response) {
  return Run(call, Role::kWorker, [this, request, response](const Principal&) -> absl::Status {
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
  return Run(call, Role::kWorker, [this, request, response](const Principal&) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const ClaimRequest wanted, FromProto(*request));
    FPO_RETURN_IF_ERROR(CheckName("builder", wanted.builder));
    FPO_RETURN_IF_ERROR(CheckName("request_id", wanted.request_id));
    FPO_ASSIGN_OR_RETURN(const RecordClaim claim, context_.upstream
                                                      ? context_.upstream->calls().Claim(wanted)
                                                      : context_.cache->Claim(wanted));
    *response = ToProto(claim);
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::RenewClaim(CallbackServerContext* call,
                                             const pb::RenewClaimRequest* request,
                                             pb::RenewClaimResponse* response) {
  return Run(call, Role::kWorker, [this, request, response](const Principal&) -> absl::Status {
    absl::StatusOr<absl::Duration> lease = context_.cache->lease();
    if (context_.upstream) {
      lease = context_.upstream->calls().RenewClaim(request->claim_id(), request->records_done());
      FPO_RETURN_IF_ERROR(lease.status());
    } else {
      FPO_RETURN_IF_ERROR(context_.cache->RenewClaim(request->claim_id(), request->records_done()));
    }
    response->set_lease_ms(ToMilliseconds(*lease));
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::ReleaseClaim(CallbackServerContext* call,
                                               const pb::ReleaseClaimRequest* request,
                                               pb::ReleaseClaimResponse* /*response*/) {
  return Run(call, Role::kWorker, [this, request](const Principal&) -> absl::Status {
    if (context_.upstream) return context_.upstream->calls().ReleaseClaim(request->claim_id());
    return context_.cache->ReleaseClaim(request->claim_id());
  });
}

grpc::ServerBidiReactor<pb::PutRecordsRequest, pb::PutRecordsResponse>* CacheService::PutRecords(
    CallbackServerContext* call) {
  const absl::StatusOr<Principal> caller = context_.access->Admit(*call, Role::kWorker);
  if (!caller.ok())
    return new RefusedCall<grpc::ServerBidiReactor<pb::PutRecordsRequest, pb::PutRecordsResponse>>(
        caller.status());
  return new PutRecordsStream(context_, call);
}

grpc::ServerWriteReactor<pb::WaitManifestResponse>* CacheService::WaitManifest(
    CallbackServerContext* call, const pb::WaitManifestRequest* request) {
  const absl::StatusOr<Principal> caller = context_.access->Admit(*call, Role::kWorker);
  if (!caller.ok())
    return new RefusedCall<grpc::ServerWriteReactor<pb::WaitManifestResponse>>(caller.status());
  return new WaitManifestStream(context_, request);
}

grpc::ServerWriteReactor<pb::PullManifestResponse>* CacheService::PullManifest(
    CallbackServerContext* call, const pb::PullManifestRequest* request) {
  const absl::StatusOr<Principal> caller = context_.access->Admit(*call, Role::kReader);
  if (!caller.ok())
    return new RefusedCall<grpc::ServerWriteReactor<pb::PullManifestResponse>>(caller.status());
  return new PullManifestStream(context_, call, request, *caller);
}

ServerUnaryReactor* CacheService::GetRecords(CallbackServerContext* call,
                                             const pb::GetRecordsRequest* request,
                                             pb::GetRecordsResponse* response) {
  const auto work = [this, request, response](const Principal& caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request->manifest_id(), "manifest_id"));
    FPO_ASSIGN_OR_RETURN(const std::vector<Digest> keys, ReadKeys(request->keys()));
    FPO_RETURN_IF_ERROR(context_.cache->CheckMayRead(id, caller));
    if (context_.upstream) FPO_RETURN_IF_ERROR(context_.upstream->Fetch(id));
    FPO_ASSIGN_OR_RETURN(const auto records, context_.cache->GetRecords(id, keys));
    FPO_ASSIGN_OR_RETURN(*response, ToProto(records));
    context_.bytes_out.Add(static_cast<double>(response->packed().size()));
    return absl::OkStatus();
  };
  WorkPool* const pool = context_.transfers == nullptr ? context_.pool : context_.transfers;
  return AnswerOnPool({call, context_.access, pool, Role::kReader, "the cache"}, work);
}

ServerUnaryReactor* CacheService::Stats(CallbackServerContext* call,
                                        const pb::StatsRequest* /*request*/,
                                        pb::StatsResponse* response) {
  return Run(call, Role::kReader, [this, response](const Principal& caller) -> absl::Status {
    *response = ToProto(context_.cache->Totals(), context_.cache->counters());
    response->set_version(version_);
    response->set_read_only(std::string(context_.cache->Writable().message()));
    AddRules(context_.cache->rules(), response);
    FPO_ASSIGN_OR_RETURN(const std::vector<OwnerUse> owners, context_.cache->Owners());
    AddOwners(owners, caller, response);
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::GetCapabilities(CallbackServerContext* call,
                                                  const pb::GetCapabilitiesRequest* /*request*/,
                                                  pb::GetCapabilitiesResponse* response) {
  return Run(call, Role::kReader, [this, response](const Principal&) -> absl::Status {
    response->set_version(version_);
    response->add_record_versions(1);
    response->add_record_versions(2);
    response->set_manifest_keys_max(kManifestKeysMax);
    response->set_keys_per_call_max(kKeysPerCallMax);
    response->set_claim_keys_max(kClaimKeysMax);
    response->set_read_keys_max(kReadKeysMax);
    response->set_packed_bytes_max(kPackedBytesMax);
    response->set_record_bytes_max(static_cast<int64_t>(kRecordBytesMax));
    response->set_lease_ms(ToMilliseconds(context_.cache->lease()));
    response->set_wants_tokens(context_.access->has_list());
    if (context_.upstream) response->set_replica_of(context_.upstream->address());
    response->set_read_only(std::string(context_.cache->Writable().message()));
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::ListRecipes(CallbackServerContext* call,
                                              const pb::ListRecipesRequest* /*request*/,
                                              pb::ListRecipesResponse* response) {
  return Run(call, Role::kReader, [this, response](const Principal& caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const auto recipes, context_.cache->ListRecipes(caller));
    for (const RecipeSummary& recipe : recipes) *response->add_recipes() = ToProto(recipe);
    return absl::OkStatus();
  });
}

}  // namespace fpo::cache
