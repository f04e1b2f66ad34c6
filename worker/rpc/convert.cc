#include "worker/rpc/convert.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;

absl::StatusOr<Digest> DigestOf(const std::string& bytes, absl::string_view field) {
  absl::StatusOr<Digest> digest = DigestFromBytes(bytes);
  if (digest.ok()) return digest;
  return absl::DataLossError(
      absl::StrCat("fpo-cache sent ", field, " of ", bytes.size(), " bytes; a digest has 32"));
}

}  // namespace

pb::WorkerMessage ToProto(const Outgoing& outgoing) {
  pb::WorkerMessage message;
  if (const auto* report = std::get_if<Report>(&outgoing)) {
    *message.mutable_report() = ToProto(*report);
  } else if (const auto* closing = std::get_if<Closing>(&outgoing)) {
    message.mutable_closing()->set_why(closing->why);
  } else if (const auto* events = std::get_if<EventBatch>(&outgoing)) {
    *message.mutable_events() = ToProto(*events);
  } else if (const auto* logs = std::get_if<LogBatch>(&outgoing)) {
    *message.mutable_logs() = ToProto(*logs);
  }
  return message;
}

pb::PushArtifactRequest ToProto(ArtifactFrame frame) {
  pb::PushArtifactRequest message;
  for (const ArtifactFile& file : frame.files) *message.add_files() = ToProto(file);
  message.set_data(std::move(frame.data));
  if (frame.sha256) message.set_sha256(ToBytes(*frame.sha256));
  return message;
}

pb::PushArtifactRequest ErrorToProto(const absl::Status& error) {
  pb::PushArtifactRequest message;
  pb::PushError& proto = *message.mutable_error();
  proto.set_code(static_cast<int>(error.code()));
  proto.set_message(std::string(error.message()));
  const ErrorInfo info = GetErrorInfo(error).value_or(ErrorInfo());
  proto.set_reason(std::string(ErrorReasonName(info.reason)));
  proto.set_hint(info.hint);
  return message;
}

absl::StatusOr<ManifestCount> FromProto(const pb::PutManifestResponse& response) {
  ManifestCount count;
  FPO_ASSIGN_OR_RETURN(count.id, DigestOf(response.manifest_id(), "a manifest id"));
  count.total = response.total();
  count.missing = response.missing();
  count.saved_seconds = response.saved_seconds();
  count.saved_flops = response.saved_flops();
  return count;
}

RecordClaim FromProto(const pb::ClaimResponse& response) {
  RecordClaim claim;
  claim.id = response.claim_id();
  claim.ordinals.assign(response.ordinals().begin(), response.ordinals().end());
  claim.complete = response.complete();
  claim.retry_after = absl::Milliseconds(response.retry_after_ms());
  claim.lease = absl::Milliseconds(response.lease_ms());
  return claim;
}

ManifestProgress FromProto(const pb::WaitManifestResponse& response) {
  return {response.present(), response.total(), response.claimable()};
}

absl::StatusOr<RecordFrame> FromProto(const pb::PullManifestResponse& response) {
  RecordFrame frame;
  frame.first_ordinal = response.first_ordinal();
  frame.count = response.count();
  frame.packed = response.packed();
  if (!response.sha256_of_digests().empty()) {
    FPO_ASSIGN_OR_RETURN(frame.sha256_of_digests,
                         DigestOf(response.sha256_of_digests(), "a stream digest"));
  }
  return frame;
}

}  // namespace fpo::worker
