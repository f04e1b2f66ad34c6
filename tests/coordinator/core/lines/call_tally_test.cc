#include "coordinator/core/lines/call_tally.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

AuditEntry At(absl::Time time) {
  AuditEntry entry;
  entry.time = time;
  entry.method = "CancelJob";
  entry.detail = "no token";
  return entry;
}

TEST(CallTally, ACallerHasSoManyEntriesAnHour) {
  const absl::Time start = absl::FromUnixSeconds(1'000'000);
  CallTally tally;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(tally.Takes("a", 3, At(start)), i < 3);
  EXPECT_TRUE(tally.Takes("b", 3, At(start))) << "another's are not its";
  EXPECT_TRUE(tally.TakeEnded(start + absl::Minutes(59)).empty());
  const std::vector<AuditEntry> ended = tally.TakeEnded(start + absl::Hours(1));
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].who, "a");
  EXPECT_EQ(ended[0].method, "CancelJob");
  EXPECT_THAT(ended[0].detail, HasSubstr("7 more such calls in the hour from "));
  EXPECT_TRUE(tally.Takes("a", 3, At(start + absl::Hours(1)))) << "the next hour";
}

TEST(CallTally, ManyCallersShareOneCount) {
  const absl::Time start = absl::FromUnixSeconds(1'000'000);
  CallTally tally;
  int entries = 0;
  for (int i = 0; i < 100'000; ++i) entries += tally.Takes(absl::StrCat("h", i), 10, At(start));
  EXPECT_EQ(entries, 1000 + 10);
  EXPECT_EQ(tally.TakeEnded(start + absl::Hours(2)).size(), 1u);
}

TEST(HostOfPeer, LeavesOutThePort) {
  EXPECT_EQ(HostOfPeer("ipv4:10.0.0.7:40312"), "ipv4:10.0.0.7");
  EXPECT_EQ(HostOfPeer("ipv6:%5B::1%5D:40312"), "ipv6:%5B::1%5D");
  EXPECT_EQ(HostOfPeer("unix:"), "unix:");
  EXPECT_EQ(HostOfPeer(""), "");
}

}  // namespace
}  // namespace fpo::coordinator
