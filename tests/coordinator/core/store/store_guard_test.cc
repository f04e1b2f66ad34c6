#include "coordinator/core/store/store_guard.h"

#include "common/error_info.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using ::testing::HasSubstr;

class StoreGuardTest : public ::testing::Test {
 protected:
  void Load(const StoreIdentity& identity) {
    ASSERT_TRUE(store_.PutIdentity(identity).ok());
    ASSERT_TRUE(jobs_.Load().ok());
  }
  static WorkerHello Knowing(const StoreMark& mark, std::vector<AttemptRef> running = {}) {
    WorkerHello hello = HelloOf("w1", 1, std::move(running));
    hello.store = mark;
    return hello;
  }
  void ExpectRefused(const WorkerHello& hello, const std::string& why) {
    const absl::Status status = guard_.Check(hello);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(ReasonOf(status), ErrorReason::kWrongStore);
    EXPECT_EQ(counts_.fencing_rejections["store"], ++refusals_);
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
  }
  MemoryJobStore store_;
  JobTable jobs_{&store_};
  CoordinatorCounts counts_;
  int64_t refusals_ = 0;
  StoreGuard guard_{&jobs_, &counts_};
};

TEST_F(StoreGuardTest, TheSameStoreAtTheSameOrALaterRevisionIsAccepted) {
  Load({.id = "s1", .revision = 7});
  EXPECT_TRUE(guard_.Check(Knowing({"s1", 7}, {{"j", 1, 1}})).ok());
  EXPECT_TRUE(guard_.Check(Knowing({"s1", 3})).ok());
  EXPECT_TRUE(guard_.Check(Knowing({}, {{"j", 1, 1}})).ok()) << "an agent of an earlier version";
}

TEST_F(StoreGuardTest, AnotherOrAnOlderStoreIsRefused) {
  Load({.id = "s1", .revision = 7});
  ExpectRefused(Knowing({"s2", 1}), "knows the jobs' store s2");
  ExpectRefused(Knowing({"s1", 8}), "ends at 7: it is an older copy");
  EXPECT_TRUE(guard_.TakesJobs().ok()) << "a confirmed store goes on for others";
}

TEST_F(StoreGuardTest, TheFirstAgentConfirmsANewStore) {
  Load({.id = "s1", .confirmed = false});
  EXPECT_TRUE(guard_.Check(Knowing({})).ok());
  EXPECT_TRUE(store_.LoadIdentity().value().confirmed);
  ExpectRefused(Knowing({"s2", 1}), "s2");
  EXPECT_TRUE(guard_.TakesJobs().ok());
}

TEST_F(StoreGuardTest, ANewStoreThatAnAgentDoesNotKnowTakesNoJobs) {
  Load({.id = "s1", .confirmed = false});
  ExpectRefused(Knowing({"s2", 1}), "s2");
  EXPECT_EQ(ReasonOf(guard_.TakesJobs()), ErrorReason::kWrongStore);
  EXPECT_FALSE(store_.LoadIdentity().value().confirmed);
}

TEST_F(StoreGuardTest, AnAgentThatRunsSomethingDoesNotConfirmANewStore) {
  Load({.id = "s1", .confirmed = false});
  ExpectRefused(Knowing({}, {{"j-1", 1, 1}}), "runs job j-1");
  EXPECT_FALSE(store_.LoadIdentity().value().confirmed);
}

TEST_F(StoreGuardTest, AConfirmationThatCannotBeStoredIsNone) {
  Load({.id = "s1", .confirmed = false});
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  EXPECT_TRUE(absl::IsResourceExhausted(guard_.Check(Knowing({}))));
  EXPECT_FALSE(jobs_.identity().confirmed);
}

TEST_F(StoreGuardTest, ARestoredStoreStartsNothingUntilAgentsHadTimeToConnect) {
  Load({.id = "s1", .restored = true, .revision = 7});
  EXPECT_TRUE(guard_.AwaitsAgents(false));
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  EXPECT_TRUE(guard_.AwaitsAgents(true));
  store_.FailWrites(absl::OkStatus());
  EXPECT_FALSE(guard_.AwaitsAgents(true));
  EXPECT_FALSE(store_.LoadIdentity().value().restored);
}

}  // namespace
}  // namespace fpo::coordinator
