#include "train/runs/rank_agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/lone_rank.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::HasSubstr;

// One rank of several; what the others show is given, by rank.
class OneOfSeveral final : public LoneRank {
 public:
  OneOfSeveral(int64_t rank, std::vector<std::string> all)
      : LoneRank(rank, static_cast<int64_t>(all.size())), all_(std::move(all)) {}
  absl::StatusOr<std::vector<std::string>> AllGather(absl::string_view own) override {
    std::vector<std::string> all = all_;
    all.at(static_cast<size_t>(rank())) = std::string(own);
    for (const std::string& each : all) EXPECT_EQ(each.size(), own.size());
    return all;
  }

 private:
  const std::vector<std::string> all_;
};

const Digest kData = Sha256Of("data"), kModel = Sha256Of("model"), kOther = Sha256Of("other");
const std::string kSame = ToHex(kData) + ToHex(kModel), kDiffers = ToHex(kData) + ToHex(kOther);
const std::vector<SharedFact> kFacts = {{"data.train", kData}, {"model.path m", kModel}};

TEST(RankAgreement, RanksWithTheSameFilesGoOn) {
  OneOfSeveral alone(0, {""});
  EXPECT_TRUE(CheckRanksAgree(kFacts, alone).ok());
  OneOfSeveral middle(1, {kSame, "", kSame});
  EXPECT_TRUE(CheckRanksAgree(kFacts, middle).ok());
}

TEST(RankAgreement, EveryRankNamesTheOneThatDiffersAndInWhat) {
  OneOfSeveral first(0, {"", kSame, kDiffers});
  OneOfSeveral middle(1, {kSame, "", kDiffers});
  for (OneOfSeveral* group : {&first, &middle}) {
    const absl::Status status = CheckRanksAgree(kFacts, *group);
    EXPECT_EQ(ExitCodeOf(status), ExitCode::kInvalid);
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("data-differs: rank 2 does not have the same model.path m as rank 0"));
  }
}

TEST(RankAgreement, ADigestThatDiffersInItsLastByteDiffers) {
  std::string close = kSame;
  close.back() = close.back() == '0' ? '1' : '0';
  OneOfSeveral group(0, {"", close});
  EXPECT_THAT(std::string(CheckRanksAgree(kFacts, group).message()),
              HasSubstr("rank 1 does not have the same model.path m"));
}

TEST(RankAgreement, TheCheckpointIsThatOfTheFirstRank) {
  const std::string chosen = "00000000000000000040" + ToHex(kOther);
  OneOfSeveral second(1, {chosen, ""});
  auto choice = ChoiceOfRankZero({}, second);
  ASSERT_TRUE(choice.ok()) << choice.status();
  EXPECT_EQ(choice->step, 40);
  EXPECT_EQ(choice->digest, kOther);
  OneOfSeveral first(0, {"", chosen});
  choice = ChoiceOfRankZero({7, kData}, first);
  EXPECT_EQ(choice->step, 7);
  EXPECT_EQ(choice->digest, kData);
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
