#include "worker/rpc/convert.h"

#include <string>
#include <vector>

#include "common/error_info.h"
#include "common/hash.h"
#include "gtest/gtest.h"
#include "tests/support/message_fields.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;
using ::fpo::testing::Unset;

TEST(ConvertTest, WhatIsSentHasItsPlaceInTheMessage) {
  EXPECT_EQ(ToProto(Outgoing(Closing{"why"})).closing().why(), "why");
  EXPECT_EQ(ToProto(Outgoing(Leaving{"idle"})).leaving().why(), "idle");
  EXPECT_EQ(ToProto(Outgoing(Report{.attempt = {"j", 1, 2}})).report().attempt().job_id(), "j");
  EXPECT_EQ(ToProto(Outgoing(EventBatch{{{"j", 1, 2}, 9}})).events().first_seq(), 9u);
  EXPECT_EQ(ToProto(Outgoing(LogBatch{{{"j", 1, 2}, 7}})).logs().first_seq(), 7u);
}

TEST(ConvertTest, ArtifactFramesAndErrorsFillEveryField) {
  ArtifactFrame frame;
  frame.files = {{"a", 1, "ab"}};
  frame.data = "data";
  frame.sha256 = Sha256Of("data");
  const pb::PushArtifactRequest push = ToProto(frame);
  EXPECT_EQ(Unset(push), (std::vector<std::string>{"transfer_id", "error"}));
  EXPECT_EQ(push.data(), "data");
  EXPECT_EQ(push.sha256().size(), 32u);
  const pb::PushArtifactRequest error = ErrorToProto(
      WithErrorInfo(absl::NotFoundError("gone"),
                    {.reason = ErrorReason::kArtifactGone, .field = "", .hint = "H", .ids = {}}));
  EXPECT_EQ(Unset(error.error()), std::vector<std::string>{});
}

}  // namespace
}  // namespace fpo::worker
