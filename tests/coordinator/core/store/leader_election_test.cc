#include "coordinator/core/store/leader_election.h"

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

// One row that all keepers of a test share.
class FakeKeeper final : public LeadKeeper {
 public:
  explicit FakeKeeper(Lead* row) : row_(*row) {}

  absl::StatusOr<Lead> ReadLead() const override {
    if (!failure.ok()) return failure;
    return row_;
  }
  absl::StatusOr<bool> TakeLead(const Lead& seen, const std::string& holder) override {
    if (!failure.ok()) return failure;
    if (row_ != seen) return false;
    row_ = {seen.token + 1, seen.beat, holder};
    token_ = row_.token;
    return true;
  }
  absl::Status RenewLead() override {
    if (!failure.ok()) return failure;
    if (row_.token != token_) {
      return WithErrorInfo(absl::FailedPreconditionError("another one leads"),
                           {.reason = ErrorReason::kNotLeader});
    }
    ++row_.beat;
    return absl::OkStatus();
  }
  absl::Status StepDown() override {
    if (row_.token == token_) row_.holder.clear();
    return absl::OkStatus();
  }
  absl::Status failure;

 private:
  Lead& row_;
  int64_t token_ = -1;
};

class LeaderElectionTest : public ::testing::Test {
 protected:
  static constexpr absl::Duration kLease = absl::Seconds(10);
  Lead row_;
  FakeClock clock_{kStart};
  FakeKeeper keeper_a_{&row_}, keeper_b_{&row_};
  LeaderElection a_{{"a:1", kLease}, &keeper_a_, &clock_};
  LeaderElection b_{{"b:1", kLease}, &keeper_b_, &clock_};
};

TEST_F(LeaderElectionTest, TheFirstLeadsAndTheSecondKnowsIt) {
  EXPECT_TRUE(a_.Turn());
  EXPECT_FALSE(b_.Turn());
  EXPECT_EQ(b_.leader(), "a:1");
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(absl::Seconds(1));
    EXPECT_TRUE(a_.Turn());
    EXPECT_FALSE(b_.Turn());
  }
}

TEST_F(LeaderElectionTest, ASilentLeaderIsReplacedAfterALease) {
  ASSERT_TRUE(a_.Turn());
  ASSERT_FALSE(b_.Turn());
  clock_.Advance(kLease - absl::Milliseconds(1));
  EXPECT_FALSE(b_.Turn());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(b_.Turn());
  EXPECT_FALSE(a_.Turn()) << "it stood still and is fenced";
  EXPECT_EQ(ReasonOf(a_.problem()), ErrorReason::kNotLeader);
  EXPECT_FALSE(a_.Turn());
  EXPECT_EQ(a_.leader(), "b:1");
}

TEST_F(LeaderElectionTest, ALeaderThatCannotReachTheStoreEndsBeforeTheNextBegins) {
  ASSERT_TRUE(a_.Turn());
  ASSERT_FALSE(b_.Turn());
  keeper_a_.failure = absl::UnavailableError("no route");
  for (int i = 0; i < 9; ++i) {
    clock_.Advance(absl::Seconds(1));
    EXPECT_TRUE(a_.Turn()) << i;
    EXPECT_FALSE(b_.Turn());
  }
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(a_.Turn());
  EXPECT_TRUE(b_.Turn());
}

TEST_F(LeaderElectionTest, AStoreThatIsAwayForAllChangesNoLeader) {
  ASSERT_TRUE(a_.Turn());
  ASSERT_FALSE(b_.Turn());
  keeper_a_.failure = keeper_b_.failure = absl::UnavailableError("restarting");
  clock_.Advance(absl::Seconds(9));
  EXPECT_TRUE(a_.Turn());
  EXPECT_FALSE(b_.Turn());
  clock_.Advance(absl::Milliseconds(500));
  keeper_a_.failure = keeper_b_.failure = absl::OkStatus();
  EXPECT_TRUE(a_.Turn());
  EXPECT_FALSE(b_.Turn());
  clock_.Advance(absl::Seconds(9));
  EXPECT_FALSE(b_.Turn()) << "it counts from when it could look again";
}

TEST_F(LeaderElectionTest, OneThatStepsDownNeedNotBeWaitedFor) {
  ASSERT_TRUE(a_.Turn());
  ASSERT_FALSE(b_.Turn());
  a_.StepDown();
  EXPECT_TRUE(b_.Turn());
}

TEST_F(LeaderElectionTest, ARestartedLeaderTakesItsOwnPlaceAtOnce) {
  ASSERT_TRUE(a_.Turn());
  FakeKeeper keeper(&row_);
  LeaderElection again({"a:1", kLease}, &keeper, &clock_);
  EXPECT_TRUE(again.Turn());
  EXPECT_FALSE(a_.Turn());
}

}  // namespace
}  // namespace fpo::coordinator
