#include "common/cache_client/reference_cache_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "common/wire/cache_wire.h"
#include "common/wire/wire_time.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;
using Stub = pb::ReferenceCache::Stub;

constexpr size_t kKeysPerMessage = 4096;

// The context of one call: its deadline, and the two who may cancel it.
class CallContext {
 public:
  CallContext(absl::Duration timeout, std::stop_token always, std::stop_token once = {})
      : always_(std::move(always), Canceller{&context_}),
        once_(std::move(once), Canceller{&context_}) {
    SetDeadline(&context_, timeout);
  }
  grpc::ClientContext* get() { return &context_; }
  void TryCancel() { context_.TryCancel(); }

 private:
  struct Canceller {
    grpc::ClientContext* context;
    void operator()() const { context->TryCancel(); }
  };
  grpc::ClientContext context_;
  std::stop_callback<Canceller> always_;
  std::stop_callback<Canceller> once_;
};

}  // namespace

ReferenceCacheClient::ReferenceCacheClient(const std::shared_ptr<grpc::Channel>& control,
                                           const std::shared_ptr<grpc::Channel>& bulk,
                                           CacheCallPolicy policy)
    : policy_(std::move(policy)),
      control_(pb::ReferenceCache::NewStub(control)),
      bulk_(pb::ReferenceCache::NewStub(bulk)) {}

template <typename Request, typename Response>
absl::StatusOr<Response> ReferenceCacheClient::Unary(Method<Request, Response> method,
                                                     const Request& request,
                                                     absl::Duration timeout) {
  Response response;
  const grpc::Status status = policy_.make([&] {
    CallContext context(timeout, policy_.stop);
    return (control_.get()->*method)(context.get(), request, &response);
  });
  if (!status.ok()) return policy_.explain(status);
  return response;
}

absl::StatusOr<ManifestCount> ReferenceCacheClient::PutManifest(const NewManifest& manifest,
                                                                std::stop_token stop) {
  CallContext context(policy_.manifest_time, policy_.stop, std::move(stop));
  pb::PutManifestResponse response;
  const auto stream = bulk_->PutManifest(context.get(), &response);
  pb::PutManifestRequest message;
  *message.mutable_header() = ToProto(manifest);
  bool writable = stream->Write(message);
  const absl::Span<const Digest> keys(manifest.keys);
  for (size_t first = 0; writable && first < keys.size(); first += kKeysPerMessage) {
    message.set_keys(KeysToBytes(keys.subspan(first, kKeysPerMessage)));
    writable = stream->Write(message);
  }
  stream->WritesDone();
  if (const grpc::Status status = stream->Finish(); !status.ok()) return policy_.explain(status);
  return FromProto(response);
}

absl::StatusOr<RecordClaim> ReferenceCacheClient::Claim(const ClaimRequest& request) {
  FPO_ASSIGN_OR_RETURN(const pb::ClaimResponse response,
                       Unary(&Stub::Claim, ToProto(request), policy_.unary_time));
  return FromProto(response);
}

absl::StatusOr<absl::Duration> ReferenceCacheClient::RenewClaim(uint64_t claim_id,
                                                                int64_t records_done) {
  pb::RenewClaimRequest request;
  request.set_claim_id(claim_id);
  request.set_records_done(records_done);
  FPO_ASSIGN_OR_RETURN(const pb::RenewClaimResponse response,
                       Unary(&Stub::RenewClaim, request, policy_.unary_time));
  return absl::Milliseconds(response.lease_ms());
}

absl::Status ReferenceCacheClient::ReleaseClaim(uint64_t claim_id) {
  pb::ReleaseClaimRequest request;
  request.set_claim_id(claim_id);
  return Unary(&Stub::ReleaseClaim, request, policy_.release_time).status();
}

absl::StatusOr<PutCounts> ReferenceCacheClient::PutRecords(const Digest& manifest_id,
                                                           absl::Span<const PutBatch> batches,
                                                           std::stop_token stop) {
  CallContext context(policy_.upload_time, policy_.stop, std::move(stop));
  const auto stream = bulk_->PutRecords(context.get());
  uint64_t seq = 0;
  for (const PutBatch& batch : batches) {
    pb::PutRecordsRequest message = ToProto(batch);
    message.set_manifest_id(ToBytes(manifest_id));
    message.set_seq(++seq);
    if (!stream->Write(message)) break;
  }
  stream->WritesDone();
  // Acknowledgements are a few bytes a frame: they never fill the stream's window while we write.
  pb::PutRecordsResponse last;
  for (pb::PutRecordsResponse ack; stream->Read(&ack);) last = ack;
  if (const grpc::Status status = stream->Finish(); !status.ok()) return policy_.explain(status);
  if (last.last_seq() == seq) return FromProto(last);
  return absl::UnavailableError(absl::StrCat("fpo-cache acknowledged ", last.last_seq(), " of ",
                                             seq, " frames and closed the stream"));
}

absl::Status ReferenceCacheClient::WaitManifest(
    const Digest& manifest_id, absl::Duration timeout,
    const std::function<bool(const ManifestProgress&)>& on_change, std::stop_token stop) {
  CallContext context(timeout, policy_.stop, std::move(stop));
  pb::WaitManifestRequest request;
  request.set_manifest_id(ToBytes(manifest_id));
  const auto stream = control_->WaitManifest(context.get(), request);
  bool ended_by_us = false;
  for (pb::WaitManifestResponse response; !ended_by_us && stream->Read(&response);) {
    ended_by_us = !on_change(FromProto(response));
  }
  if (ended_by_us) context.TryCancel();
  const grpc::Status status = stream->Finish();
  const bool is_over =
      ended_by_us || status.ok() || status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  return is_over ? absl::OkStatus() : policy_.explain(status);
}

absl::Status ReferenceCacheClient::PullManifest(
    const PullRequest& request, const std::function<absl::Status(const RecordFrame&)>& on_frame,
    std::stop_token stop) {
  CallContext context(policy_.pull_time, policy_.stop, std::move(stop));
  const auto stream = bulk_->PullManifest(context.get(), ToProto(request));
  absl::Status refused;
  for (pb::PullManifestResponse response; refused.ok() && stream->Read(&response);) {
    const absl::StatusOr<RecordFrame> frame = FromProto(std::move(response));
    refused = frame.ok() ? on_frame(*frame) : frame.status();
  }
  if (!refused.ok()) context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (!refused.ok()) return refused;
  return status.ok() ? absl::OkStatus() : policy_.explain(status);
}

absl::StatusOr<pb::GetManifestResponse> ReferenceCacheClient::GetManifest(
    const Digest& manifest_id) {
  pb::GetManifestRequest request;
  request.set_manifest_id(ToBytes(manifest_id));
  return Unary(&Stub::GetManifest, request, policy_.unary_time);
}

absl::StatusOr<pb::ListManifestsResponse> ReferenceCacheClient::ListManifests() {
  return Unary(&Stub::ListManifests, pb::ListManifestsRequest(), policy_.unary_time);
}

absl::StatusOr<pb::ListRecipesResponse> ReferenceCacheClient::ListRecipes() {
  return Unary(&Stub::ListRecipes, pb::ListRecipesRequest(), policy_.unary_time);
}

absl::StatusOr<pb::StatsResponse> ReferenceCacheClient::Stats() {
  return Unary(&Stub::Stats, pb::StatsRequest(), policy_.unary_time);
}

absl::Status ReferenceCacheClient::Pin(const Digest& manifest_id, std::optional<absl::Time> until) {
  pb::PinRequest request;
  request.set_manifest_id(ToBytes(manifest_id));
  if (until) SetExactTime(*until, request.mutable_until());
  return Unary(&Stub::Pin, request, policy_.unary_time).status();
}

absl::Status ReferenceCacheClient::Unpin(const Digest& manifest_id) {
  pb::UnpinRequest request;
  request.set_manifest_id(ToBytes(manifest_id));
  return Unary(&Stub::Unpin, request, policy_.unary_time).status();
}

absl::Status ReferenceCacheClient::Verify(
    const std::optional<Digest>& manifest_id,
    const std::function<void(const pb::VerifyResponse&)>& on_report) {
  CallContext context(policy_.upkeep_time, policy_.stop);
  pb::VerifyRequest request;
  if (manifest_id) request.set_manifest_id(ToBytes(*manifest_id));
  const auto stream = control_->Verify(context.get(), request);
  for (pb::VerifyResponse report; stream->Read(&report);) on_report(report);
  const grpc::Status status = stream->Finish();
  return status.ok() ? absl::OkStatus() : policy_.explain(status);
}

absl::StatusOr<pb::QuarantineResponse> ReferenceCacheClient::Quarantine(
    const Digest& manifest_id, absl::Span<const Digest> keys, const std::string& reason) {
  pb::QuarantineRequest request;
  request.set_manifest_id(ToBytes(manifest_id));
  request.set_keys(KeysToBytes(keys));
  request.set_reason(reason);
  return Unary(&Stub::Quarantine, request, policy_.upkeep_time);
}

absl::StatusOr<pb::ListQuarantinedResponse> ReferenceCacheClient::ListQuarantined() {
  return Unary(&Stub::ListQuarantined, pb::ListQuarantinedRequest(), policy_.unary_time);
}

absl::StatusOr<pb::GcResponse> ReferenceCacheClient::Gc(bool dry_run) {
  pb::GcRequest request;
  request.set_dry_run(dry_run);
  return Unary(&Stub::Gc, request, policy_.upkeep_time);
}

absl::StatusOr<pb::BackupResponse> ReferenceCacheClient::Backup() {
  return Unary(&Stub::Backup, pb::BackupRequest(), policy_.upkeep_time);
}

}  // namespace fpo
