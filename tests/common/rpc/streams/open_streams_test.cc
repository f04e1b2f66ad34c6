#include "common/rpc/streams/open_streams.h"

#include "common/error_info.h"
#include "gtest/gtest.h"

namespace fpo {
namespace {

struct Stream final : OpenStream {
  void End(const absl::Status& why) override { ended = why; }
  absl::Status ended;
};

TEST(OpenStreamsTest, NoCallerTakesThemAll) {
  OpenStreams streams("the coordinator", 4, 2);
  Stream ana[3], ben[2], eve;
  EXPECT_TRUE(streams.Add(&ana[0], "ana").ok());
  EXPECT_TRUE(streams.Add(&ana[1], "ana").ok());
  EXPECT_EQ(ReasonOf(streams.Add(&ana[2], "ana")), ErrorReason::kBusy);
  EXPECT_TRUE(streams.Add(&ben[0], "ben").ok());
  streams.Remove(&ana[2]);  // which was never added
  streams.Remove(&ana[0]);
  EXPECT_TRUE(streams.Add(&ana[2], "ana").ok());
  EXPECT_TRUE(streams.Add(&ben[1], "ben").ok());
  EXPECT_EQ(ReasonOf(streams.Add(&eve, "eve")), ErrorReason::kBusy) << "four in all";
  streams.EndAll(absl::UnavailableError("bye"));
  EXPECT_TRUE(absl::IsUnavailable(ben[1].ended));
}

}  // namespace
}  // namespace fpo
