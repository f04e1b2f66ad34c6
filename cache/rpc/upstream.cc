#include "cache/rpc/upstream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/core/store/key_layout.h"
#include "common/access_list.h"
#include "common/error_info.h"
#include "common/rpc/channel.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;

constexpr absl::Duration kStreamTime = absl::Hours(1);

}  // namespace

absl::StatusOr<std::unique_ptr<Upstream>> Upstream::Create(const Options& options,
                                                           ReferenceCache* local) {
  auto upstream = std::unique_ptr<Upstream>(new Upstream(options.address, local));
  ChannelOptions channel_options{.tls = options.tls, .bulk = true};
  if (!options.token_file.empty()) {
    FPO_ASSIGN_OR_RETURN(channel_options.token, ReadTokenFile(options.token_file));
  }
  FPO_ASSIGN_OR_RETURN(const auto channel, MakeChannel(options.address, channel_options));
  upstream->stub_ = pb::ReferenceCache::NewStub(channel);
  return upstream;
}

// Its own errors pass through as they are; one that cannot be reached is named.
absl::Status Upstream::Explain(const grpc::Status& status) const {
  absl::Status result = FromGrpcStatus(status);
  if (!absl::IsUnavailable(result)) return result;
  return WithErrorInfo(
      absl::UnavailableError(absl::StrCat("this replica cannot reach its cache at ", address_, ": ",
                                          result.message())),
      {.reason = ErrorReason::kUpstreamUnavailable,
       .hint = "retry; what the replica has is still served"});
}

absl::Status Upstream::PutManifest(const NewManifest& manifest, pb::PutManifestResponse* response) {
  grpc::ClientContext context;
  SetDeadline(&context, kStreamTime);
  const auto stream = stub_->PutManifest(&context, response);
  pb::PutManifestRequest message;
  message.mutable_header()->set_recipe(manifest.recipe);
  message.mutable_header()->set_keys(static_cast<int64_t>(manifest.keys.size()));
  message.mutable_header()->set_owner(manifest.owner);
  message.mutable_header()->set_name(manifest.name);
  message.mutable_header()->set_share(manifest.share);
  bool writable = stream->Write(message);
  const absl::Span<const Digest> keys(manifest.keys);
  for (size_t from = 0; writable && from < keys.size(); from += kKeysPerCallMax) {
    message.set_keys(EncodeKeys(keys.subspan(from, kKeysPerCallMax)));
    writable = stream->Write(message);
  }
  stream->WritesDone();
  return Explain(stream->Finish());
}

absl::Status Upstream::Claim(const pb::ClaimRequest& request, pb::ClaimResponse* response) {
  grpc::ClientContext context;
  SetDeadline(&context, kUnaryDeadline);
  return Explain(stub_->Claim(&context, request, response));
}

absl::Status Upstream::RenewClaim(const pb::RenewClaimRequest& request,
                                  pb::RenewClaimResponse* response) {
  grpc::ClientContext context;
  SetDeadline(&context, kUnaryDeadline);
  return Explain(stub_->RenewClaim(&context, request, response));
}

absl::Status Upstream::ReleaseClaim(const pb::ReleaseClaimRequest& request,
                                    pb::ReleaseClaimResponse* response) {
  grpc::ClientContext context;
  SetDeadline(&context, kUnaryDeadline);
  return Explain(stub_->ReleaseClaim(&context, request, response));
}

absl::Status Upstream::PutRecords(const pb::PutRecordsRequest& batch,
                                  pb::PutRecordsResponse* response) {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Minutes(5));
  const auto stream = stub_->PutRecords(&context);
  const bool acknowledged = stream->Write(batch) && stream->Read(response);
  stream->WritesDone();
  FPO_RETURN_IF_ERROR(Explain(stream->Finish()));
  if (acknowledged) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the cache at ", address_, " closed the upload"));
}

absl::StatusOr<ManifestView> Upstream::View(const Digest& manifest_id) {
  grpc::ClientContext context;
  SetDeadline(&context, kUnaryDeadline);
  pb::GetManifestRequest request;
  request.set_manifest_id(ToBytes(manifest_id));
  pb::GetManifestResponse response;
  FPO_RETURN_IF_ERROR(Explain(stub_->GetManifest(&context, request, &response)));
  const pb::Manifest& manifest = response.manifest();
  // Who holds the rest only a claim tells.
  return ManifestView{.present = manifest.present(),
                      .total = manifest.total(),
                      .claimable = manifest.total() - manifest.present()};
}

absl::Status Upstream::Fetch(const Digest& manifest_id) {
  const KeyReservations::Hold hold(&transfers_, {ToBytes(manifest_id)});
  FPO_ASSIGN_OR_RETURN(const std::vector<int64_t> missing, local_.MissingOrdinals(manifest_id));
  if (missing.empty()) return absl::OkStatus();
  grpc::ClientContext context;
  SetDeadline(&context, kStreamTime);
  pb::PullManifestRequest request;
  request.set_manifest_id(ToBytes(manifest_id));
  request.mutable_ordinals()->Add(missing.begin(), missing.end());
  const auto stream = stub_->PullManifest(&context, request);
  absl::Status stored;
  for (pb::PullManifestResponse frame; stored.ok() && stream->Read(&frame);) {
    stored = local_.StoreFetched(manifest_id, frame.packed());
  }
  if (!stored.ok()) context.TryCancel();
  const grpc::Status ended = stream->Finish();
  return stored.ok() ? Explain(ended) : stored;
}

}  // namespace fpo::cache
