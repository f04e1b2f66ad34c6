#include "coordinator/core/workers/lease_table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Duration kLease = absl::Seconds(15);

TEST(LeaseTable, ExpiresOnceAfterTheLease) {
  LeaseTable leases(kLease, kStart);
  leases.Renew("w1", kStart);
  EXPECT_THAT(leases.TakeExpired(kStart + kLease - absl::Milliseconds(1)), IsEmpty());
  EXPECT_THAT(leases.TakeExpired(kStart + kLease), ElementsAre("w1"));
  EXPECT_THAT(leases.TakeExpired(kStart + 2 * kLease), IsEmpty());
  EXPECT_FALSE(leases.Has("w1"));
}

TEST(LeaseTable, HeartbeatsKeepItAlive) {
  LeaseTable leases(kLease, kStart);
  for (int i = 0; i < 1000; ++i) {
    const absl::Time now = kStart + i * absl::Seconds(10);
    leases.Renew("w1", now);
    EXPECT_THAT(leases.TakeExpired(now), IsEmpty());
  }
}

TEST(LeaseTable, NothingExpiresInTheReattachWindow) {
  const absl::Time reattach_until = kStart + absl::Seconds(60);
  LeaseTable leases(kLease, reattach_until);
  leases.Renew("w1", kStart);
  leases.Renew("w2", kStart + absl::Seconds(50));
  EXPECT_THAT(leases.TakeExpired(reattach_until - absl::Milliseconds(1)), IsEmpty());
  EXPECT_THAT(leases.TakeExpired(reattach_until), ElementsAre("w1"));
  EXPECT_EQ(leases.Expiry("w2"), kStart + absl::Seconds(65));
  EXPECT_EQ(leases.Expiry("w1"), std::nullopt);
}

}  // namespace
}  // namespace fpo::coordinator
