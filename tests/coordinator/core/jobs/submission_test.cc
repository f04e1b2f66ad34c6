#include "coordinator/core/jobs/submission.h"

#include "common/error_info.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

TEST(Submission, TakesNameAndDemandFromTheJob) {
  const absl::StatusOr<Submission> submission = CheckSubmission(ConfigJson("tiny", 3, 900));
  ASSERT_TRUE(submission.ok()) << submission.status();
  EXPECT_EQ(submission->job.name, "tiny");
  EXPECT_EQ(submission->job.kind, JobKind::kTrain);
  EXPECT_EQ(submission->job.method, "sft");
  EXPECT_EQ(submission->job.demand.slots, 3);
  EXPECT_EQ(submission->job.demand.min_slots, 0);
  EXPECT_EQ(submission->job.demand.priority, 900);
  EXPECT_EQ(submission->job.demand.max_restarts, 3);
  EXPECT_FALSE(submission->job.demand.retry_on_oom);
  EXPECT_TRUE(ReadJobJson(submission->job.config_json).ok()) << "the effective job reads back";
}

TEST(Submission, NamesWhatIsWrong) {
  const absl::Status status = CheckSubmission(R"({"name":"x","wrong_key":1})").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), ErrorReason::kInvalidJob);
  EXPECT_NE(status.message().find("wrong_key"), std::string::npos) << status;
  EXPECT_FALSE(CheckSubmission("not json").ok());
}

TEST(Submission, IsOfLimitedSize) {
  const absl::Status status = CheckSubmission(std::string(kConfigBytesMax + 1, ' ')).status();
  EXPECT_NE(status.message().find("262145"), std::string::npos) << status;
}

TEST(Submission, DigestTellsJobsAndOwnersApart) {
  Job a = MakeJob("j-1");
  Job b = MakeJob("j-2");
  EXPECT_EQ(SubmissionDigest(a), SubmissionDigest(b)) << "the id is not asked for";
  b.config_json = "{ }";
  EXPECT_NE(SubmissionDigest(a), SubmissionDigest(b));
  b = a;
  b.owner = "bob";
  EXPECT_NE(SubmissionDigest(a), SubmissionDigest(b));
}

TEST(Submission, ANameThatNoCommandCouldGiveIsRefused) {
  for (const std::string name : {"-q", "j-4f2a"}) {
    const absl::Status refused = CheckSubmission(ConfigJson(name)).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << name;
    EXPECT_NE(refused.message().find("name: \"" + name + "\""), std::string::npos) << refused;
  }
}

}  // namespace
}  // namespace fpo::coordinator
