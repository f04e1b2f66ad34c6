#include "common/wire/cache_wire.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/hash.h"
#include "common/status_macros.h"
#include "common/wire/wire_time.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<Digest> DigestOfResponse(const std::string& bytes, absl::string_view field) {
  absl::StatusOr<Digest> digest = DigestFromBytes(bytes);
  if (digest.ok()) return digest;
  return absl::DataLossError(
      absl::StrCat("fpo-cache sent a ", field, " of ", bytes.size(), " bytes; a digest has 32"));
}

}  // namespace

absl::StatusOr<Digest> ReadDigest(const std::string& bytes, const std::string& field) {
  absl::StatusOr<Digest> digest = DigestFromBytes(bytes);
  if (digest.ok()) return digest;
  return WithErrorInfo(
      absl::InvalidArgumentError(absl::StrCat(field, ": ", bytes.size(), " bytes instead of 32")),
      {.reason = ErrorReason::kInvalidRequest, .field = field});
}

std::string KeysToBytes(absl::Span<const Digest> keys) {
  std::string bytes;
  bytes.reserve(keys.size() * sizeof(Digest));
  for (const Digest& key : keys) bytes += ToBytes(key);
  return bytes;
}

pb::ManifestHeader ToProto(const NewManifest& manifest) {
  pb::ManifestHeader proto;
  proto.set_recipe(manifest.recipe);
  proto.set_keys(static_cast<int64_t>(manifest.keys.size()));
  proto.set_owner(manifest.owner);
  proto.set_name(manifest.name);
  proto.set_share(manifest.share);
  return proto;
}

NewManifest FromProto(const pb::ManifestHeader& proto) {
  NewManifest manifest{
      .recipe = proto.recipe(), .keys = {}, .owner = proto.owner(), .name = proto.name()};
  if (!proto.share().empty()) manifest.share = proto.share();
  return manifest;
}

pb::PutManifestResponse ToProto(const ManifestCount& count) {
  pb::PutManifestResponse proto;
  proto.set_manifest_id(ToBytes(count.manifest_id));
  proto.set_recipe_id(ToBytes(count.recipe_id));
  proto.set_total(count.total);
  proto.set_missing(count.missing);
  proto.set_saved_seconds(count.saved.seconds);
  proto.set_saved_flops(count.saved.flops);
  return proto;
}

absl::StatusOr<ManifestCount> FromProto(const pb::PutManifestResponse& proto) {
  ManifestCount count{.total = proto.total(),
                      .missing = proto.missing(),
                      .saved = {proto.saved_seconds(), proto.saved_flops()}};
  FPO_ASSIGN_OR_RETURN(count.manifest_id, DigestOfResponse(proto.manifest_id(), "manifest_id"));
  FPO_ASSIGN_OR_RETURN(count.recipe_id, DigestOfResponse(proto.recipe_id(), "recipe_id"));
  return count;
}

pb::WaitManifestResponse ToProto(const ManifestProgress& progress) {
  pb::WaitManifestResponse proto;
  proto.set_present(progress.present);
  proto.set_total(progress.total);
  proto.set_claimable(progress.claimable);
  return proto;
}

ManifestProgress FromProto(const pb::WaitManifestResponse& proto) {
  return {proto.present(), proto.total(), proto.claimable()};
}

pb::ClaimRequest ToProto(const ClaimRequest& request) {
  pb::ClaimRequest proto;
  proto.set_manifest_id(ToBytes(request.manifest_id));
  proto.set_limit(request.limit);
  proto.set_builder(request.builder);
  proto.set_request_id(request.request_id);
  return proto;
}

absl::StatusOr<ClaimRequest> FromProto(const pb::ClaimRequest& proto) {
  ClaimRequest request{
      .limit = proto.limit(), .builder = proto.builder(), .request_id = proto.request_id()};
  FPO_ASSIGN_OR_RETURN(request.manifest_id, ReadDigest(proto.manifest_id(), "manifest_id"));
  return request;
}

pb::ClaimResponse ToProto(const RecordClaim& claim) {
  pb::ClaimResponse proto;
  proto.set_claim_id(claim.claim_id);
  proto.mutable_ordinals()->Add(claim.ordinals.begin(), claim.ordinals.end());
  proto.set_complete(claim.complete);
  proto.set_retry_after_ms(ToMilliseconds(claim.retry_after));
  proto.set_lease_ms(ToMilliseconds(claim.lease));
  return proto;
}

RecordClaim FromProto(const pb::ClaimResponse& proto) {
  return {.claim_id = proto.claim_id(),
          .ordinals = {proto.ordinals().begin(), proto.ordinals().end()},
          .complete = proto.complete(),
          .retry_after = absl::Milliseconds(proto.retry_after_ms()),
          .lease = absl::Milliseconds(proto.lease_ms())};
}

pb::PutRecordsRequest ToProto(const PutBatch& batch) {
  pb::PutRecordsRequest proto;
  proto.set_claim_id(batch.claim_id);
  proto.set_packed(batch.packed.data(), batch.packed.size());
  proto.set_seconds(batch.cost.seconds);
  proto.set_flops(batch.cost.flops);
  return proto;
}

PutBatch FromProto(const pb::PutRecordsRequest& proto) {
  return {.claim_id = proto.claim_id(),
          .packed = proto.packed(),
          .cost = {proto.seconds(), proto.flops()}};
}

pb::PutRecordsResponse ToProto(const PutCounts& counts) {
  pb::PutRecordsResponse proto;
  proto.set_stored(counts.stored);
  proto.set_present(counts.present);
  proto.set_conflict(counts.conflict);
  return proto;
}

PutCounts FromProto(const pb::PutRecordsResponse& proto) {
  return {proto.stored(), proto.present(), proto.conflict()};
}

pb::PullManifestRequest ToProto(const PullRequest& request) {
  pb::PullManifestRequest proto;
  proto.set_manifest_id(ToBytes(request.manifest_id));
  proto.set_from_ordinal(request.from_ordinal);
  proto.mutable_ordinals()->Add(request.ordinals.begin(), request.ordinals.end());
  return proto;
}

absl::StatusOr<PullRequest> FromProto(const pb::PullManifestRequest& proto) {
  PullRequest request{.from_ordinal = proto.from_ordinal(),
                      .ordinals = {proto.ordinals().begin(), proto.ordinals().end()}};
  FPO_ASSIGN_OR_RETURN(request.manifest_id, ReadDigest(proto.manifest_id(), "manifest_id"));
  return request;
}

pb::PullManifestResponse ToProto(RecordFrame frame) {
  pb::PullManifestResponse proto;
  proto.set_first_ordinal(frame.first_ordinal);
  proto.set_count(static_cast<int32_t>(frame.count));
  proto.set_packed(std::move(frame.packed));
  if (frame.sha256_of_digests) proto.set_sha256_of_digests(ToBytes(*frame.sha256_of_digests));
  return proto;
}

absl::StatusOr<RecordFrame> FromProto(pb::PullManifestResponse proto) {
  RecordFrame frame{.first_ordinal = proto.first_ordinal(),
                    .count = proto.count(),
                    .packed = std::move(*proto.mutable_packed())};
  if (!proto.sha256_of_digests().empty()) {
    FPO_ASSIGN_OR_RETURN(frame.sha256_of_digests,
                         DigestOfResponse(proto.sha256_of_digests(), "sha256_of_digests"));
  }
  return frame;
}

}  // namespace fpo
