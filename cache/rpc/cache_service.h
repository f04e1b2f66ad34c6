#pragma once

#include <grpcpp/server_context.h>

#include <functional>

#include "cache/rpc/stream_context.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// fpo.v1.ReferenceCache over a ReferenceCache. gRPC's own threads only dispatch: every call that
// touches the store runs on the pool.
class CacheService final : public fpo::v1::ReferenceCache::CallbackService {
 public:
  CacheService(const StreamContext& context, std::string version);

  grpc::ServerReadReactor<fpo::v1::PutManifestRequest>* PutManifest(
      grpc::CallbackServerContext* call, fpo::v1::PutManifestResponse* response) override;
  grpc::ServerUnaryReactor* GetManifest(grpc::CallbackServerContext* call,
                                        const fpo::v1::GetManifestRequest* request,
                                        fpo::v1::GetManifestResponse* response) override;
  grpc::ServerUnaryReactor* ListManifests(grpc::CallbackServerContext* call,
                                          const fpo::v1::ListManifestsRequest* request,
                                          fpo::v1::ListManifestsResponse* response) override;
  grpc::ServerUnaryReactor* FindMissing(grpc::CallbackServerContext* call,
                                        const fpo::v1::FindMissingRequest* request,
                                        fpo::v1::FindMissingResponse* response) override;
  grpc::ServerUnaryReactor* Claim(grpc::CallbackServerContext* call,
                                  const fpo::v1::ClaimRequest* request,
                                  fpo::v1::ClaimResponse* response) override;
  grpc::ServerUnaryReactor* RenewClaim(grpc::CallbackServerContext* call,
                                       const fpo::v1::RenewClaimRequest* request,
                                       fpo::v1::RenewClaimResponse* response) override;
  grpc::ServerUnaryReactor* ReleaseClaim(grpc::CallbackServerContext* call,
                                         const fpo::v1::ReleaseClaimRequest* request,
                                         fpo::v1::ReleaseClaimResponse* response) override;
  grpc::ServerBidiReactor<fpo::v1::PutRecordsRequest, fpo::v1::PutRecordsResponse>* PutRecords(
      grpc::CallbackServerContext* call) override;
  grpc::ServerWriteReactor<fpo::v1::WaitManifestResponse>* WaitManifest(
      grpc::CallbackServerContext* call, const fpo::v1::WaitManifestRequest* request) override;
  grpc::ServerWriteReactor<fpo::v1::PullManifestResponse>* PullManifest(
      grpc::CallbackServerContext* call, const fpo::v1::PullManifestRequest* request) override;
  grpc::ServerUnaryReactor* GetRecords(grpc::CallbackServerContext* call,
                                       const fpo::v1::GetRecordsRequest* request,
                                       fpo::v1::GetRecordsResponse* response) override;
  grpc::ServerUnaryReactor* Stats(grpc::CallbackServerContext* call,
                                  const fpo::v1::StatsRequest* request,
                                  fpo::v1::StatsResponse* response) override;

  grpc::ServerUnaryReactor* GetCapabilities(grpc::CallbackServerContext* call,
                                            const fpo::v1::GetCapabilitiesRequest* request,
                                            fpo::v1::GetCapabilitiesResponse* response) override;
  grpc::ServerUnaryReactor* ListRecipes(grpc::CallbackServerContext* call,
                                        const fpo::v1::ListRecipesRequest* request,
                                        fpo::v1::ListRecipesResponse* response) override;

  grpc::ServerUnaryReactor* Retain(grpc::CallbackServerContext* call,
                                   const fpo::v1::RetainRequest* request,
                                   fpo::v1::RetainResponse* response) override;
  grpc::ServerUnaryReactor* Pin(grpc::CallbackServerContext* call,
                                const fpo::v1::PinRequest* request,
                                fpo::v1::PinResponse* response) override;
  grpc::ServerUnaryReactor* Unpin(grpc::CallbackServerContext* call,
                                  const fpo::v1::UnpinRequest* request,
                                  fpo::v1::UnpinResponse* response) override;
  grpc::ServerUnaryReactor* Quarantine(grpc::CallbackServerContext* call,
                                       const fpo::v1::QuarantineRequest* request,
                                       fpo::v1::QuarantineResponse* response) override;
  grpc::ServerUnaryReactor* ListQuarantined(grpc::CallbackServerContext* call,
                                            const fpo::v1::ListQuarantinedRequest* request,
                                            fpo::v1::ListQuarantinedResponse* response) override;
  grpc::ServerUnaryReactor* Gc(grpc::CallbackServerContext* call, const fpo::v1::GcRequest* request,
                               fpo::v1::GcResponse* response) override;
  grpc::ServerUnaryReactor* Backup(grpc::CallbackServerContext* call,
                                   const fpo::v1::BackupRequest* request,
                                   fpo::v1::BackupResponse* response) override;
  grpc::ServerWriteReactor<fpo::v1::VerifyResponse>* Verify(
      grpc::CallbackServerContext* call, const fpo::v1::VerifyRequest* request) override;

 private:
  using Work = std::function<absl::Status(const Principal& caller)>;

  // Answers with the status of `work`, which runs on the pool and may use request and response.
  // Callers whose role is below `least` are rejected.
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* call, Role least, Work work);

  const StreamContext context_;
  const std::string version_;
};

}  // namespace fpo::cache
