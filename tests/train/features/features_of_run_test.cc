#include "train/features/features_of_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "common/failpoint.h"
#include "common/features/feature_report.h"
#include "common/files/durable_file.h"
#include "tests/train/support/tiny_run.h"

namespace fpo::train {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class FeaturesOfRunTest : public ::testing::Test {
 protected:
  FeaturesOfRunTest() : job_(tiny_.Job("fpo")) { SetUpJob(); }
  ~FeaturesOfRunTest() override { DisarmFailpoints(); }

  void SetUpJob() {
    job_.data.eval = {tiny_.Path("eval.jsonl")};
    job_.features.top = 4;
    job_.features.spans = 2;
  }
  std::string File() const { return tiny_.Path("out/features.json"); }
  FeatureReport Report() const {
    auto report = ReadFeatureReport(File());
    EXPECT_TRUE(report.ok()) << report.status();
    return *std::move(report);
  }
  std::vector<std::string> Warnings() const {
    std::vector<std::string> texts;
    for (const TrainEvent& event : events_.Of(EventKind::kWarning)) texts.push_back(event.message);
    return texts;
  }

  const TinyRun tiny_;
  JobConfig job_;
  RecordingSink events_;
};

TEST_F(FeaturesOfRunTest, ARunWithAnSaeEndsWithOne) {
  const absl::Status status = TrainOnce(job_, tiny_.Run("out"), &events_);
  ASSERT_TRUE(status.ok()) << status;
  const FeatureReport report = Report();
  EXPECT_EQ(report.job, "tiny");
  EXPECT_EQ(report.method, "fpo");
  EXPECT_EQ(report.pairs, 5);
  EXPECT_EQ(report.pairs_there, 5);
  EXPECT_EQ(report.reference_codes, "records");
  EXPECT_EQ(report.policy, tiny_.Path("out/model"));
  EXPECT_NE(report.policy_digest, report.reference_digest);
  ASSERT_THAT(report.saes, SizeIs(1));
  const SaeMovement& sae = report.saes[0];
  EXPECT_THAT(sae.chosen, SizeIs(4));
  const MovedFeature& first = *sae.Find(sae.chosen[0]);
  EXPECT_GT(std::abs(first.chosen->change()), 0);
  ASSERT_THAT(first.spans, Not(IsEmpty()));
  EXPECT_THAT(first.spans[0].before, SizeIs(first.spans[0].tokens.size()));
  EXPECT_THAT(first.spans[0].tokens[0], HasSubstr("#")) << "the tiny model has no tokenizer";
  EXPECT_TRUE(sae.before && sae.after && sae.after->fvu);
  EXPECT_THAT(report.missing, ElementsAre(HasSubstr("no tokenizer")));
  const auto run = nlohmann::json::parse(Slurp(tiny_.Path("out/run.json")));
  EXPECT_GT(run["timings"]["features_seconds"].get<double>(), 0);
  EXPECT_THAT(Slurp(tiny_.Path("out/report.html")), HasSubstr("<section class=\"features\">"));
  EXPECT_THAT(Warnings(), Not(Contains(HasSubstr("feature report"))));
}

// The reference of a method without features is run; its records hold none.
TEST_F(FeaturesOfRunTest, AMethodWithoutFeaturesHasOneWhenItsJobNamesAnSae) {
  const std::vector<SaeSection> sae = job_.sae;
  job_ = tiny_.Job("dpo");
  SetUpJob();
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("plain")).ok());
  EXPECT_FALSE(std::filesystem::exists(tiny_.Path("plain/features.json")));
  job_.sae = sae;
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out")).ok());
  EXPECT_EQ(Report().reference_codes, "model");
  EXPECT_THAT(Report().saes[0].chosen, SizeIs(4));
}

TEST_F(FeaturesOfRunTest, RecordsOfTheLargestFeaturesAreNotReadAsAll) {
  job_.reference.features = "top";
  job_.reference.features_top = 10;
  job_.method.feature_selection = "reference";
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out")).ok());
  EXPECT_EQ(Report().reference_codes, "model");
}

TEST_F(FeaturesOfRunTest, RecordsAndModelAgree) {
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out")).ok());
  const FeatureReport records = Report();
  job_.reference.source = "online";
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("online")).ok());
  const FeatureReport model = *ReadFeatureReport(tiny_.Path("online/features.json"));
  EXPECT_EQ(model.reference_codes, "model");
  for (const MovedFeature& feature : records.saes[0].moved) {
    const MovedFeature* const other = model.saes[0].Find(feature.index);
    ASSERT_NE(other, nullptr);
    EXPECT_NEAR(feature.chosen->before, other->chosen->before, 1e-5);
    EXPECT_NEAR(feature.rejected->after, other->rejected->after, 1e-4);
  }
}

TEST_F(FeaturesOfRunTest, AnErrorCostsTheReportAlone) {
  ASSERT_TRUE(ArmFailpoint("features.begin=error").ok());
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out"), &events_).ok());
  EXPECT_FALSE(std::filesystem::exists(File()));
  EXPECT_TRUE(std::filesystem::exists(tiny_.Path("out/model/model.safetensors")));
  EXPECT_THAT(events_.Of(EventKind::kResult), SizeIs(1));
  EXPECT_THAT(Warnings(),
              Contains(AllOf(HasSubstr("the run is complete, but has no feature report ("),
                             HasSubstr("fpo-train features --job " + tiny_.Path("out/job.yaml")))));
  EXPECT_THAT(Slurp(tiny_.Path("out/run.json")), HasSubstr("has no feature report"));
}

TEST_F(FeaturesOfRunTest, LabelsThatCannotBeReadAreMissingAndSaid) {
  job_.features.explanations = tiny_.Path("labels.jsonl");
  ASSERT_TRUE(
      WriteFileAtomically(job_.features.explanations, "{\"index\": 32, \"description\": \"x\"}\n")
          .ok());
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out"), &events_).ok());
  EXPECT_THAT(Report().missing, Contains(HasSubstr("it labels feature 32, and the SAE has 32")));
  EXPECT_THAT(Warnings(), Contains(HasSubstr("it labels feature 32")));
  EXPECT_EQ(Report().saes[0].labels, "");
}

TEST_F(FeaturesOfRunTest, AJobCanTurnItOff) {
  job_.features.top = 0;
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out")).ok());
  EXPECT_FALSE(std::filesystem::exists(File()));
}

TEST_F(FeaturesOfRunTest, MorePairsThanWereEvaluatedAreNotRead) {
  job_.evaluate.pairs = 3;
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out")).ok());
  EXPECT_EQ(Report().pairs, 3);
  EXPECT_EQ(Report().pairs_asked, 128);
}

}  // namespace
}  // namespace fpo::train
