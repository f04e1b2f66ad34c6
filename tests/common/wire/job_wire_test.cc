#include "common/wire/job_wire.h"

#include <google/protobuf/util/message_differencer.h>

#include <string>
#include <vector>

#include "common/wire/wire_time.h"
#include "gtest/gtest.h"
#include "tests/support/message_fields.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;
using ::fpo::testing::Filled;
using ::fpo::testing::Unset;
using google::protobuf::util::MessageDifferencer;

const std::vector<std::string> kNone;

TEST(JobWire, EveryFieldComesBack) {
  const auto use = Filled<pb::CacheUse>();
  EXPECT_TRUE(MessageDifferencer::Equals(ToProto(FromProto(use)), use)) << use.DebugString();
  EXPECT_EQ(FromProto(use).records_hit, use.records_hit());
  EXPECT_EQ(FromProto(use).saved_flops, use.saved_flops());
  const auto device = Filled<pb::Device>();
  EXPECT_TRUE(MessageDifferencer::Equals(ToProto(FromProto(device)), device));
  EXPECT_EQ(FromProto(device).memory_bytes, device.memory_bytes());
}

TEST(JobWire, EveryFieldIsFilled) {
  const absl::Time time = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_EQ(Unset(ToProto(Checkpoint{40, 1, 2, "/out/step-40", "ab", 12, 0.5, true, time})), kNone);
  EXPECT_EQ(Unset(ToProto(BadCheckpoint{40, 1, "why", time})), kNone);
  EXPECT_EQ(Unset(ToProto(ArtifactFile{"a", 1, "ab"})), kNone);
}

TEST(WireTime, TimesBeforeTheEpochAreWellFormed) {
  google::protobuf::Timestamp proto;
  SetTime(absl::FromUnixMillis(-500), &proto);
  EXPECT_EQ(proto.seconds(), -1);
  EXPECT_EQ(proto.nanos(), 500'000'000);
  EXPECT_EQ(TimeOf(proto), absl::FromUnixMillis(-500));
}

}  // namespace
}  // namespace fpo
