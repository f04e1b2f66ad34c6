// The calls of the cache's administrators.
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/rpc/cache_service.h"
#include "cache/rpc/convert.h"
#include "cache/rpc/verify_stream.h"
#include "common/rpc/streams/refused_call.h"
#include "common/status_macros.h"
#include "common/wire/wire_time.h"

namespace fpo::cache {

namespace pb = fpo::v1;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

namespace {

constexpr int64_t kListQuarantined = 1000;
constexpr int64_t kReasonBytesMax = 1024;

}  // namespace

ServerUnaryReactor* CacheService::Retain(CallbackServerContext* call,
                                         const pb::RetainRequest* request,
                                         pb::RetainResponse* response) {
  return Run(call, Role::kWorker, [this, request, response](const Principal&) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request->manifest_id(), "manifest_id"));
    FPO_ASSIGN_OR_RETURN(const absl::Time until, context_.cache->Retain(id));
    SetExactTime(until, response->mutable_until());
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::Pin(CallbackServerContext* call, const pb::PinRequest* request,
                                      pb::PinResponse* /*response*/) {
  return Run(call, Role::kUser, [this, request](const Principal& caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request->manifest_id(), "manifest_id"));
    FPO_RETURN_IF_ERROR(context_.cache->CheckMayChange(id, caller));
    return context_.cache->Pin(
        id, request->has_until() ? TimeOf(request->until()) : absl::InfiniteFuture());
  });
}

ServerUnaryReactor* CacheService::Unpin(CallbackServerContext* call,
                                        const pb::UnpinRequest* request,
                                        pb::UnpinResponse* /*response*/) {
  return Run(call, Role::kUser, [this, request](const Principal& caller) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request->manifest_id(), "manifest_id"));
    FPO_RETURN_IF_ERROR(context_.cache->CheckMayChange(id, caller));
    return context_.cache->Unpin(id);
  });
}

ServerUnaryReactor* CacheService::Quarantine(CallbackServerContext* call,
                                             const pb::QuarantineRequest* request,
                                             pb::QuarantineResponse* response) {
  return Run(call, Role::kAdmin, [this, request, response](const Principal&) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request->manifest_id(), "manifest_id"));
    FPO_ASSIGN_OR_RETURN(std::vector<Digest> keys, ReadKeys(request->keys()));
    if (static_cast<int64_t>(request->reason().size()) > kReasonBytesMax) {
      return BadRequest(
          "reason", absl::StrCat(request->reason().size(), " bytes; at most ", kReasonBytesMax));
    }
    if (keys.empty()) {
      FPO_ASSIGN_OR_RETURN(keys, context_.cache->KeysOf(id));
    }
    response->set_records(static_cast<int64_t>(keys.size()));
    return context_.cache->Quarantine(id, keys,
                                      request->reason().empty() ? "by hand" : request->reason());
  });
}

ServerUnaryReactor* CacheService::ListQuarantined(CallbackServerContext* call,
                                                  const pb::ListQuarantinedRequest* request,
                                                  pb::ListQuarantinedResponse* response) {
  return Run(call, Role::kAdmin, [this, request, response](const Principal&) -> absl::Status {
    const int64_t limit = request->limit() > 0
                              ? std::min<int64_t>(request->limit(), kListQuarantined)
                              : kListQuarantined;
    FPO_ASSIGN_OR_RETURN(const auto list, context_.cache->ListQuarantined(limit));
    for (const QuarantinedRecord& record : list) *response->add_records() = ToProto(record);
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::Gc(CallbackServerContext* call, const pb::GcRequest* request,
                                     pb::GcResponse* response) {
  return Run(call, Role::kAdmin, [this, request, response](const Principal&) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const GcReport report, context_.collector->Collect(request->dry_run()));
    *response = ToProto(report);
    return absl::OkStatus();
  });
}

ServerUnaryReactor* CacheService::Backup(CallbackServerContext* call,
                                         const pb::BackupRequest* /*request*/,
                                         pb::BackupResponse* response) {
  return Run(call, Role::kAdmin, [this, response](const Principal&) -> absl::Status {
    FPO_ASSIGN_OR_RETURN(const BackupInfo info, context_.backups->Make(absl::Now()));
    response->set_path(info.path);
    response->set_records(info.records);
    response->set_bytes(info.bytes);
    return absl::OkStatus();
  });
}

grpc::ServerWriteReactor<pb::VerifyResponse>* CacheService::Verify(
    CallbackServerContext* call, const pb::VerifyRequest* request) {
  // One manifest is for those who may read it; the whole store is not.
  const Role least = request->manifest_id().empty() ? Role::kAdmin : Role::kReader;
  const absl::StatusOr<Principal> caller = context_.access->Admit(*call, least);
  if (!caller.ok()) {
    return new RefusedCall<grpc::ServerWriteReactor<pb::VerifyResponse>>(caller.status());
  }
  return new VerifyStream(context_, call, request, *caller);
}

}  // namespace fpo::cache
