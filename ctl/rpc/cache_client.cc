#include "ctl/rpc/cache_client.h"

#include <utility>

#include "common/rpc/deadline.h"
#include "common/status_macros.h"
#include "ctl/rpc/rpc_status.h"

namespace fpo::ctl {

namespace pb = fpo::v1;

namespace {

constexpr absl::Duration kLongCall = absl::Hours(4);  // of calls that read or move a whole store
constexpr size_t kKeyBytesPerMessage = 4096 * 32;

}  // namespace

CacheClient::CacheClient(std::shared_ptr<grpc::Channel> channel, std::string address,
                         Interrupt* interrupt)
    : address_(std::move(address)),
      interrupt_(interrupt),
      patience_(channel),
      stub_(pb::ReferenceCache::NewStub(channel)) {}

absl::Status CacheClient::Error(const grpc::Status& status) const {
  return CallError(status, CacheSite(address_, interrupt_->raised()));
}

template <typename Method, typename Request, typename Response>
absl::Status CacheClient::Call(Method method, const Request& request, Response* response,
                               absl::Duration timeout) {
  return Error(patience_.Call(*interrupt_, [&] {
    grpc::ClientContext context;
    SetDeadline(&context, timeout);
    Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
    return (stub_.get()->*method)(&context, request, response);
  }));
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

absl::StatusOr<pb::ListRecipesResponse> CacheClient::ListRecipes() {
  pb::ListRecipesResponse response;
  FPO_RETURN_IF_ERROR(
      Call(&pb::ReferenceCache::Stub::ListRecipes, pb::ListRecipesRequest(), &response));
  return response;
}

absl::Status CacheClient::Pin(const pb::PinRequest& request) {
  pb::PinResponse response;
  return Call(&pb::ReferenceCache::Stub::Pin, request, &response);
}

absl::Status CacheClient::Unpin(const std::string& manifest_id) {
  pb::UnpinRequest request;
  request.set_manifest_id(manifest_id);
  pb::UnpinResponse response;
  return Call(&pb::ReferenceCache::Stub::Unpin, request, &response);
}

absl::StatusOr<pb::QuarantineResponse> CacheClient::Quarantine(
    const pb::QuarantineRequest& request) {
  pb::QuarantineResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::ReferenceCache::Stub::Quarantine, request, &response, kLongCall));
  return response;
}

absl::StatusOr<pb::ListQuarantinedResponse> CacheClient::ListQuarantined() {
  pb::ListQuarantinedResponse response;
  FPO_RETURN_IF_ERROR(
      Call(&pb::ReferenceCache::Stub::ListQuarantined, pb::ListQuarantinedRequest(), &response));
  return response;
}

absl::StatusOr<pb::GcResponse> CacheClient::Gc(bool dry_run) {
  pb::GcRequest request;
  request.set_dry_run(dry_run);
  pb::GcResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::ReferenceCache::Stub::Gc, request, &response, kLongCall));
  return response;
}

absl::StatusOr<pb::BackupResponse> CacheClient::Backup() {
  pb::BackupResponse response;
  FPO_RETURN_IF_ERROR(
      Call(&pb::ReferenceCache::Stub::Backup, pb::BackupRequest(), &response, kLongCall));
  return response;
}

absl::StatusOr<pb::ClaimResponse> CacheClient::Claim(const pb::ClaimRequest& request) {
  pb::ClaimResponse response;
  FPO_RETURN_IF_ERROR(Call(&pb::ReferenceCache::Stub::Claim, request, &response));
  return response;
}

absl::Status CacheClient::Verify(const std::string& manifest_id,
                                 const std::function<void(const pb::VerifyResponse&)>& on_report) {
  grpc::ClientContext context;
  SetDeadline(&context, kLongCall);
  Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
  pb::VerifyRequest request;
  request.set_manifest_id(manifest_id);
  const auto stream = stub_->Verify(&context, request);
  for (pb::VerifyResponse report; stream->Read(&report);) on_report(report);
  return Error(stream->Finish());
}

absl::Status CacheClient::Pull(
    const std::string& manifest_id, int64_t from_ordinal,
    const std::function<absl::Status(const pb::PullManifestResponse&)>& on_frame) {
  grpc::ClientContext context;
  SetDeadline(&context, kLongCall);
  Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
  pb::PullManifestRequest request;
  request.set_manifest_id(manifest_id);
  request.set_from_ordinal(from_ordinal);
  const auto stream = stub_->PullManifest(&context, request);
  absl::Status refused;
  for (pb::PullManifestResponse frame; refused.ok() && stream->Read(&frame);) {
    refused = on_frame(frame);
  }
  if (!refused.ok()) context.TryCancel();
  const grpc::Status ended = stream->Finish();
  return refused.ok() ? Error(ended) : refused;
}

absl::StatusOr<pb::PutManifestResponse> CacheClient::PutManifest(const pb::ManifestHeader& header,
                                                                 const std::string& keys) {
  grpc::ClientContext context;
  SetDeadline(&context, kLongCall);
  Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
  pb::PutManifestResponse response;
  const auto stream = stub_->PutManifest(&context, &response);
  pb::PutManifestRequest message;
  *message.mutable_header() = header;
  bool writable = stream->Write(message);
  for (size_t from = 0; writable && from < keys.size(); from += kKeyBytesPerMessage) {
    message.set_keys(keys.substr(from, kKeyBytesPerMessage));
    writable = stream->Write(message);
  }
  stream->WritesDone();
  FPO_RETURN_IF_ERROR(Error(stream->Finish()));
  return response;
}

absl::StatusOr<pb::PutRecordsResponse> CacheClient::PutRecords(
    const std::vector<pb::PutRecordsRequest>& batches) {
  grpc::ClientContext context;
  SetDeadline(&context, kLongCall);
  Interrupt::Scope scope(*interrupt_, [&context] { context.TryCancel(); });
  const auto stream = stub_->PutRecords(&context);
  for (const pb::PutRecordsRequest& batch : batches) {
    if (!stream->Write(batch)) break;
  }
  stream->WritesDone();
  // Acknowledgements are a few bytes each: they never fill the stream's window while we write.
  pb::PutRecordsResponse last;
  while (stream->Read(&last)) {
  }
  FPO_RETURN_IF_ERROR(Error(stream->Finish()));
  return last;
}

}  // namespace fpo::ctl
