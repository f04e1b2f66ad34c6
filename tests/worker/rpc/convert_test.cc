#include "worker/rpc/convert.h"

#include <google/protobuf/util/message_differencer.h>

#include <string>

#include "common/error_info.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;

// Gives every field of a message a value of its own, found by reflection: a field that a conversion
// forgets then shows as a difference.
void Fill(google::protobuf::Message* message, int* next) {
  using Field = google::protobuf::FieldDescriptor;
  const auto* descriptor = message->GetDescriptor();
  const auto* reflection = message->GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const Field* field = descriptor->field(i);
    const int value = ++*next;
    const bool many = field->is_repeated();
    switch (field->cpp_type()) {
      case Field::CPPTYPE_MESSAGE:
        Fill(many ? reflection->AddMessage(message, field)
                  : reflection->MutableMessage(message, field),
             next);
        break;
      case Field::CPPTYPE_STRING:
        if (many) {
          reflection->AddString(message, field, std::to_string(value));
        } else {
          reflection->SetString(message, field, std::to_string(value));
        }
        break;
      case Field::CPPTYPE_INT32:
        reflection->SetInt32(message, field, value);
        break;
      case Field::CPPTYPE_INT64:
        if (many) {
          reflection->AddInt64(message, field, value);
        } else {
          reflection->SetInt64(message, field, value);
        }
        break;
      case Field::CPPTYPE_UINT64:
        reflection->SetUInt64(message, field, static_cast<uint64_t>(value));
        break;
      case Field::CPPTYPE_DOUBLE:
        reflection->SetDouble(message, field, value + 0.5);
        break;
      case Field::CPPTYPE_BOOL:
        reflection->SetBool(message, field, true);
        break;
      case Field::CPPTYPE_ENUM:
        reflection->SetEnumValue(message, field, 1);
        break;
      default:
        ADD_FAILURE() << "unexpected type of " << field->full_name();
    }
  }
}

// True when no field of `message` is at its default.
bool IsFull(const google::protobuf::Message& message) {
  const auto* descriptor = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const auto* field = descriptor->field(i);
    const bool set = field->is_repeated() ? reflection->FieldSize(message, field) > 0
                                          : reflection->HasField(message, field);
    if (!set) return false;
  }
  return true;
}

TEST(ConvertTest, AttemptsGoThereAndBack) {
  pb::AttemptRef ref;
  int next = 0;
  Fill(&ref, &next);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(ToProto(FromProto(ref)), ref));
}

TEST(ConvertTest, EveryFieldOfAnAssignmentArrives) {
  pb::Assign assign;
  int next = 0;
  Fill(&assign, &next);
  const AssignCommand assignment = FromProto(assign);
  EXPECT_EQ(assignment.attempt, FromProto(assign.attempt()));
  EXPECT_EQ(assignment.config_json, assign.config_json());
  EXPECT_EQ(assignment.slots, assign.slots());
  EXPECT_EQ(assignment.first_rank, assign.first_rank());
  EXPECT_EQ(assignment.world_size, assign.world_size());
  EXPECT_EQ(assignment.resume, assign.resume());
  EXPECT_EQ(assignment.store_address, assign.store_address());
  EXPECT_EQ(assignment.discard_after_step, assign.discard_after_step());
  EXPECT_EQ(assignment.owner, assign.owner());
}

TEST(ConvertTest, EveryFieldOfACheckpointOrderArrives) {
  pb::KeepCheckpoints keep;
  keep.set_job_id("job");
  keep.add_remove("a");
  keep.add_pin("b");
  keep.add_unpin("c");
  EXPECT_TRUE(IsFull(keep));
  const KeepCheckpointsCommand order = FromProto(keep);
  EXPECT_EQ(order.job_id, "job");
  EXPECT_EQ(order.remove, std::vector<std::string>{"a"});
  EXPECT_EQ(order.pin, std::vector<std::string>{"b"});
  EXPECT_EQ(order.unpin, std::vector<std::string>{"c"});
}

TEST(ConvertTest, AReportFillsEveryField) {
  Report report;
  report.attempt = {"job", 2, 3};
  report.status = ReportStatus::kFailed;
  report.end_class = EndClass::kMemory;
  report.message = "out of memory";
  report.cache = CacheUse{10, 4, 6, "aa", "bb", 1.5, 2.5, 3.5};
  report.prepared = "a1b2";
  const pb::AttemptReport message = ToProto(report);
  EXPECT_TRUE(IsFull(message)) << message.DebugString();
  EXPECT_TRUE(IsFull(message.cache())) << message.cache().DebugString();
  EXPECT_EQ(message.cache().records_hit(), 4);
  EXPECT_EQ(message.cache().reference_seconds(), 1.5);
  EXPECT_EQ(message.cache().saved_flops(), 3.5);
  for (int status = 0; status < 6; ++status) {
    report.status = static_cast<ReportStatus>(status);
    EXPECT_EQ(ToProto(report).status(), status + 1) << "same order on both sides";
  }
}

TEST(ConvertTest, ArtifactsDevicesAndClosingFillEveryField) {
  pb::ServeArtifact serve;
  int next = 0;
  Fill(&serve, &next);
  const ServeArtifactCommand order = FromProto(serve);
  EXPECT_EQ(order.transfer_id, serve.transfer_id());
  EXPECT_EQ(order.folder, serve.folder());
  EXPECT_EQ(order.checkpoint, serve.checkpoint());
  EXPECT_EQ(order.file, serve.file());
  EXPECT_EQ(order.offset, serve.offset());
  ArtifactFrame frame;
  frame.files = {{"a", 1, "ab"}};
  frame.data = "data";
  frame.sha256 = Sha256Of("data");
  const pb::PushArtifactRequest push = ToProto(frame);
  EXPECT_TRUE(IsFull(push.files(0)));
  EXPECT_EQ(push.data(), "data");
  EXPECT_EQ(push.sha256().size(), 32u);
  const pb::PushArtifactRequest error = ErrorToProto(
      WithErrorInfo(absl::NotFoundError("gone"),
                    {.reason = ErrorReason::kArtifactGone, .field = "", .hint = "H", .ids = {}}));
  EXPECT_TRUE(IsFull(error.error()));
  EXPECT_TRUE(IsFull(ToProto(Device{1, "uuid", "H100", 80, 7, "550"})));
  EXPECT_EQ(ToProto(Outgoing(Closing{"why"})).closing().why(), "why");
}

TEST(ConvertTest, BatchesFillEveryField) {
  LogBatch logs;
  logs.attempt = {"job", 2, 3};
  logs.first_seq = 7;
  logs.lines = {{.rank = 1, .stream = LineStream::kStdout, .time_unix_ms = 5, .text = "hello"}};
  const pb::WorkerMessage log_message = ToProto(Outgoing(logs));
  EXPECT_TRUE(IsFull(log_message.logs()));
  EXPECT_TRUE(IsFull(log_message.logs().items(0)));
  EventBatch events;
  events.attempt = logs.attempt;
  events.first_seq = 9;
  events.lines = {{.rank = 1, .stream = {}, .time_unix_ms = 5, .text = "{}"}};
  const pb::WorkerMessage event_message = ToProto(Outgoing(events));
  EXPECT_TRUE(IsFull(event_message.events()));
  EXPECT_TRUE(IsFull(event_message.events().items(0)));
  EXPECT_EQ(event_message.events().items(0).json(), "{}");
}

TEST(ConvertTest, EveryFieldOfTheCachesAnswersArrives) {
  int next = 0;
  pb::ClaimResponse claim;
  Fill(&claim, &next);
  const RecordClaim got = FromProto(claim);
  EXPECT_EQ(got.id, claim.claim_id());
  EXPECT_EQ(got.ordinals, std::vector<int64_t>{claim.ordinals(0)});
  EXPECT_TRUE(got.complete);
  EXPECT_EQ(got.retry_after, absl::Milliseconds(claim.retry_after_ms()));
  EXPECT_EQ(got.lease, absl::Milliseconds(claim.lease_ms()));

  pb::WaitManifestResponse wait;
  Fill(&wait, &next);
  EXPECT_EQ(FromProto(wait).present, wait.present());
  EXPECT_EQ(FromProto(wait).total, wait.total());
  EXPECT_EQ(FromProto(wait).claimable, wait.claimable());

  pb::PullManifestResponse pull;
  Fill(&pull, &next);
  EXPECT_EQ(FromProto(pull).status().code(), absl::StatusCode::kDataLoss) << "no digest";
  pull.set_sha256_of_digests(std::string(32, 'd'));
  EXPECT_EQ(FromProto(pull)->count, pull.count());
  EXPECT_EQ(FromProto(pull)->packed, pull.packed());
  EXPECT_EQ(ToBytes(*FromProto(pull)->sha256_of_digests), std::string(32, 'd'));

  pb::PutManifestResponse put;
  Fill(&put, &next);
  EXPECT_EQ(FromProto(put).status().code(), absl::StatusCode::kDataLoss);
  put.set_manifest_id(std::string(32, 'm'));
  EXPECT_EQ(FromProto(put)->total, put.total());
  EXPECT_EQ(FromProto(put)->missing, put.missing());
}

}  // namespace
}  // namespace fpo::worker
