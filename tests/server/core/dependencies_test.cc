#include "server/core/dependencies.h"

#include "gtest/gtest.h"
#include "server/core/memory_job_store.h"
#include "tests/server/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using Kind = DependencyState::Kind;

class DependenciesTest : public ::testing::Test {
 protected:
  std::string Add(const std::string& request) {
    SubmittedRequest submitted;
    submitted.request_id = request;
    const auto created = jobs_.Create(MakeJob(""), submitted, kStart);
    EXPECT_TRUE(created.ok() && *created);
    return (*created)->job_id;
  }
  void Cancel(const std::string& id) {
    ASSERT_TRUE(jobs_.ApplyEvent(id, CancelRequest{absl::ZeroDuration()}, kStart).ok());
  }

  MemoryJobStore store_;
  JobTable jobs_{&store_};
  Job job_ = MakeJob("j-x");
};

TEST_F(DependenciesTest, WithoutAnyOrWithUnknownOnesAreMet) {
  EXPECT_EQ(DependenciesOf(job_, jobs_).kind, Kind::kMet);
  job_.after_ok = {"j-forgotten"};
  EXPECT_EQ(DependenciesOf(job_, jobs_).kind, Kind::kMet);
}

TEST_F(DependenciesTest, OneThatEndedBadlyCountsBeforeOneThatRuns) {
  const std::string waits = Add("a");
  const std::string ended = Add("b");
  job_.after_ok = {waits, ended};
  EXPECT_EQ(DependenciesOf(job_, jobs_).kind, Kind::kWaiting);
  EXPECT_EQ(DependenciesOf(job_, jobs_).why, "dependency: job " + waits + " is QUEUED");
  Cancel(ended);
  EXPECT_EQ(DependenciesOf(job_, jobs_).kind, Kind::kImpossible);
  EXPECT_EQ(DependenciesOf(job_, jobs_).why.rfind("dependency: job " + ended + " is CANCELLED", 0),
            0u);
}

}  // namespace
}  // namespace fpo::coordinator
