#include "worker/rpc/convert.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/status_macros.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;

pb::AttemptReport::Status StatusOf(ReportStatus status) {
  switch (status) {
    case ReportStatus::kAccepted:
      return pb::AttemptReport::ACCEPTED;
    case ReportStatus::kRefused:
      return pb::AttemptReport::REFUSED;
    case ReportStatus::kRunning:
      return pb::AttemptReport::RUNNING;
    case ReportStatus::kSucceeded:
      return pb::AttemptReport::SUCCEEDED;
    case ReportStatus::kFailed:
      return pb::AttemptReport::FAILED;
    case ReportStatus::kStopped:
      return pb::AttemptReport::STOPPED;
  }
  return pb::AttemptReport::STATUS_UNSPECIFIED;
}

absl::StatusOr<Digest> DigestOf(const std::string& bytes, absl::string_view field) {
  absl::StatusOr<Digest> digest = DigestFromBytes(bytes);
  if (digest.ok()) return digest;
  return absl::DataLossError(
      absl::StrCat("fpo-cache sent ", field, " of ", bytes.size(), " bytes; a digest has 32"));
}

}  // namespace

pb::AttemptRef ToProto(const AttemptRef& id) {
  pb::AttemptRef ref;
  ref.set_job_id(id.job_id);
  ref.set_attempt(id.attempt);
  ref.set_epoch(id.epoch);
  return ref;
}

AttemptRef FromProto(const pb::AttemptRef& ref) {
  return {ref.job_id(), ref.attempt(), ref.epoch()};
}

std::vector<AttemptRef> FromProto(const google::protobuf::RepeatedPtrField<pb::AttemptRef>& refs) {
  std::vector<AttemptRef> ids;
  for (const pb::AttemptRef& ref : refs) ids.push_back(FromProto(ref));
  return ids;
}

pb::Device ToProto(const Device& device) {
  pb::Device proto;
  proto.set_index(device.index);
  proto.set_name(device.name);
  proto.set_memory_bytes(device.memory_bytes);
  proto.set_used_bytes(device.used_bytes);
  proto.set_driver(device.driver);
  return proto;
}

pb::AttemptReport ToProto(const Report& report) {
  pb::AttemptReport message;
  *message.mutable_attempt() = ToProto(report.attempt);
  message.set_status(StatusOf(report.status));
  message.set_end_class(std::string(Name(report.end_class)));
  message.set_message(report.message);
  message.set_prepared(report.prepared);
  if (report.cache) {
    pb::CacheUse& use = *message.mutable_cache();
    use.set_records_total(report.cache->records_total);
    use.set_records_hit(report.cache->records_hit);
    use.set_records_computed(report.cache->records_computed);
    use.set_manifest_id(report.cache->manifest_id);
    use.set_recipe_id(report.cache->recipe_id);
    use.set_reference_seconds(report.cache->reference_seconds);
    use.set_saved_seconds(report.cache->saved_seconds);
    use.set_saved_flops(report.cache->saved_flops);
  }
  return message;
}

pb::WorkerMessage ToProto(const Outgoing& outgoing) {
  pb::WorkerMessage message;
  if (const auto* report = std::get_if<Report>(&outgoing)) {
    *message.mutable_report() = ToProto(*report);
  } else if (const auto* closing = std::get_if<Closing>(&outgoing)) {
    message.mutable_closing()->set_why(closing->why);
  } else if (const auto* events = std::get_if<EventBatch>(&outgoing)) {
    pb::EventBatch& batch = *message.mutable_events();
    *batch.mutable_attempt() = ToProto(events->attempt);
    batch.set_first_seq(events->first_seq);
    for (const Line& line : events->lines) {
      pb::EventItem& item = *batch.add_items();
      item.set_rank(line.rank);
      item.set_json(line.text);
    }
  } else if (const auto* logs = std::get_if<LogBatch>(&outgoing)) {
    pb::LogBatch& batch = *message.mutable_logs();
    *batch.mutable_attempt() = ToProto(logs->attempt);
    batch.set_first_seq(logs->first_seq);
    for (const Line& line : logs->lines) {
      pb::LogItem& item = *batch.add_items();
      item.set_rank(line.rank);
      item.set_stream(std::string(Name(line.stream)));
      item.set_time_unix_ms(line.time_unix_ms);
      item.set_text(line.text);
    }
  }
  return message;
}

AssignCommand FromProto(const pb::Assign& assign) {
  AssignCommand command;
  command.attempt = FromProto(assign.attempt());
  command.config_json = assign.config_json();
  command.slots = assign.slots();
  command.first_rank = assign.first_rank();
  command.world_size = assign.world_size();
  command.resume = assign.resume();
  command.store_address = assign.store_address();
  command.discard_after_step = assign.discard_after_step();
  command.owner = assign.owner();
  return command;
}

KeepCheckpointsCommand FromProto(const pb::KeepCheckpoints& keep) {
  KeepCheckpointsCommand order;
  order.job_id = keep.job_id();
  order.remove.assign(keep.remove().begin(), keep.remove().end());
  order.pin.assign(keep.pin().begin(), keep.pin().end());
  order.unpin.assign(keep.unpin().begin(), keep.unpin().end());
  return order;
}

ServeArtifactCommand FromProto(const pb::ServeArtifact& serve) {
  return {serve.transfer_id(), serve.folder(), serve.checkpoint(), serve.file(), serve.offset()};
}

pb::PushArtifactRequest ToProto(ArtifactFrame frame) {
  pb::PushArtifactRequest message;
  for (const ArtifactFile& entry : frame.files) {
    pb::ArtifactFile& file = *message.add_files();
    file.set_name(entry.name);
    file.set_bytes(entry.bytes);
    file.set_sha256(entry.sha256);
  }
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
