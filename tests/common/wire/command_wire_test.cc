#include <google/protobuf/util/message_differencer.h>

#include <optional>
#include <variant>

#include "common/wire/worker_wire.h"
#include "gtest/gtest.h"
#include "tests/support/message_fields.h"

namespace fpo {
namespace {

namespace pb = fpo::v1;
using google::protobuf::util::MessageDifferencer;

TEST(CommandWire, EveryFieldOfEveryCommandComesBack) {
  const auto* kinds = pb::CoordinatorMessage::descriptor()->FindOneofByName("kind");
  EXPECT_EQ(kinds->field_count(), static_cast<int>(std::variant_size_v<WorkerCommand>));
  for (int i = 0; i < kinds->field_count(); ++i) {
    pb::CoordinatorMessage proto;
    int next = 0;
    fpo::testing::FillFields(proto.GetReflection()->MutableMessage(&proto, kinds->field(i)), &next);
    const std::optional<WorkerCommand> command = FromProto(proto);
    ASSERT_TRUE(command.has_value()) << kinds->field(i)->name();
    EXPECT_TRUE(MessageDifferencer::Equals(ToProto(*command), proto)) << proto.DebugString();
  }
  EXPECT_EQ(FromProto(pb::CoordinatorMessage()).has_value(), false) << "of a newer coordinator";
}

TEST(CommandWire, EachListAndTimeHasItsPlace) {
  const WelcomeCommand welcome{{{"j", 1, 2}}, {{"k", 3, 4}}, absl::Seconds(2), absl::Seconds(15)};
  const pb::CoordinatorMessage proto = ToProto(WorkerCommand(welcome));
  EXPECT_EQ(proto.welcome().adopt(0).epoch(), 2u);
  EXPECT_EQ(proto.welcome().kill(0).job_id(), "k");
  EXPECT_EQ(proto.welcome().lease_ms(), 15000);
}

}  // namespace
}  // namespace fpo
