#include "train/runs/rank_agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

// One rank of several; what the others put into a sum is given.
class OneOfSeveral final : public ProcessGroup {
 public:
  OneOfSeveral(int64_t rank, int64_t world, std::vector<double> others)
      : rank_(rank), world_(world), others_(std::move(others)) {}
  int64_t rank() const override { return rank_; }
  int64_t world() const override { return world_; }
  absl::Status Sum(std::vector<double>* values) override {
    EXPECT_EQ(values->size(), others_.size());
    for (size_t i = 0; i < values->size(); ++i) (*values)[i] += others_.at(i);
    return absl::OkStatus();
  }
  absl::Status Sum(const std::vector<at::Tensor>&) override { return absl::OkStatus(); }
  absl::Status Barrier() override { return absl::OkStatus(); }

 private:
  const int64_t rank_, world_;
  const std::vector<double> others_;
};

const Digest kData = Sha256Of("data"), kModel = Sha256Of("model"), kOther = Sha256Of("other");
const double kD = DigestAsNumber(kData), kM = DigestAsNumber(kModel), kO = DigestAsNumber(kOther);
const std::vector<SharedFact> kFacts = {{"data.train", kData}, {"model.path m", kModel}};

TEST(RankAgreement, RanksWithTheSameFilesGoOn) {
  OneOfSeveral alone(0, 1, {0, 0});
  EXPECT_TRUE(CheckRanksAgree(kFacts, alone).ok());
  OneOfSeveral middle(1, 3, {kD, kM, 0, 0, kD, kM});
  EXPECT_TRUE(CheckRanksAgree(kFacts, middle).ok());
}

TEST(RankAgreement, EveryRankNamesTheOneThatDiffersAndInWhat) {
  OneOfSeveral first(0, 3, {0, 0, kD, kM, kD, kO});
  OneOfSeveral middle(1, 3, {kD, kM, 0, 0, kD, kO});
  for (OneOfSeveral* group : {&first, &middle}) {
    const absl::Status status = CheckRanksAgree(kFacts, *group);
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("data-differs: rank 2 does not have the same model.path m as rank 0"));
  }
}

TEST(RankAgreement, FactsAreThoseOfEverythingARunReads) {
  TinyRun tiny;
  RecordingSink events;
  const auto facts = [&](const JobConfig& job) {
    RunInputOptions options;
    options.prepared = tiny.Path("prepared");
    options.reference = "auto";
    options.auto_file = tiny.Path(job.name + ".fpr");
    const auto inputs = LoadRunInputs(job, options, events);
    EXPECT_TRUE(inputs.ok()) << inputs.status();
    std::vector<std::string> lines;
    for (const SharedFact& fact : SharedFactsOf(job, *inputs)) {
      lines.push_back(fact.what.substr(0, fact.what.find(' ')) + " " + ToHex(fact.digest));
    }
    return lines;
  };
  JobConfig job = tiny.Job("fpo");
  const std::vector<std::string> before = facts(job);
  ASSERT_EQ(before.size(), 5u);
  EXPECT_EQ(facts(job), before);
  tiny.WriteModel("another", 99);
  job.name = "another";
  job.reference.path = job.model.path;
  job.model.path = tiny.Path("another");
  const std::vector<std::string> after = facts(job);
  ASSERT_EQ(after.size(), 5u);
  for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i] != before[i], i == 2) << after[i];
  EXPECT_EQ(facts(tiny.Job("simpo")).size(), 3u) << "neither SAE nor reference";
}

}  // namespace
}  // namespace fpo::train
