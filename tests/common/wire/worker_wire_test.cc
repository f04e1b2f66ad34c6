#include "common/wire/worker_wire.h"

#include <google/protobuf/util/message_differencer.h>

#include <string>

#include "gtest/gtest.h"
#include "tests/support/message_fields.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;
using ::fpo::testing::Filled;
using google::protobuf::util::MessageDifferencer;

// Through the value and back: what either direction forgets is missing in the end.
template <typename Proto>
void ExpectComesBack() {
  const auto proto = Filled<Proto>();
  const Proto back = ToProto(FromProto(proto));
  EXPECT_TRUE(MessageDifferencer::Equals(back, proto)) << proto.DebugString() << "became\n"
                                                       << back.DebugString();
}

TEST(WorkerWire, EveryFieldComesBack) {
  ExpectComesBack<pb::AttemptRef>();
  ExpectComesBack<pb::Hello>();
  ExpectComesBack<pb::EventBatch>();
  ExpectComesBack<pb::LogBatch>();
  const auto report = Filled<pb::AttemptReport>();
  EXPECT_TRUE(MessageDifferencer::Equals(ToProto(*FromProto(report)), report))
      << report.DebugString();
}

TEST(WorkerWire, StreamsAreNamed) {
  const LogBatch logs{{{"j", 1, 2}, 7, {{1, LineStream::kStderr, 5, "text"}}}};
  EXPECT_EQ(ToProto(logs).items(0).stream(), pb::LINE_STREAM_STDERR);
  EXPECT_EQ(FromProto(ToProto(logs)).lines, logs.lines);
}

TEST(WorkerWire, AReportMayLackWhatIsNotKnownYet) {
  Report report;
  report.attempt = {"j", 1, 2};
  const pb::AttemptReport proto = ToProto(report);
  EXPECT_FALSE(proto.has_cache());
  EXPECT_EQ(proto.end_class(), pb::END_CLASS_UNSPECIFIED);
  EXPECT_EQ(FromProto(proto)->cache, std::nullopt);
  EXPECT_EQ(FromProto(proto)->end_class, std::nullopt);
}

TEST(WorkerWire, WhatComesFromOutsideIsCheckedAndBounded) {
  auto report = Filled<pb::AttemptReport>();
  report.set_prepared(std::string(200, 'd'));
  EXPECT_EQ(FromProto(report)->prepared, std::string(128, 'd'));
  for (const int status : {0, 7}) {
    report.set_status(static_cast<pb::AttemptReport::Status>(status));
    EXPECT_TRUE(absl::IsInvalidArgument(FromProto(report).status())) << status;
  }
  EXPECT_EQ(FromProto(pb::Hello()).device, std::nullopt) << "of another version";
}

}  // namespace
}  // namespace fpo
