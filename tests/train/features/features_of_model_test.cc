#include "train/features/features_of_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "common/features/feature_report.h"
#include "common/files/durable_file.h"
#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class FeaturesOfModelTest : public ::testing::Test {
 protected:
  FeaturesOfModelTest() : job_(tiny_.Job("fpo")) {
    job_.data.eval = {tiny_.Path("eval.jsonl")};
    job_.features.top = 4;
    options_ = {tiny_.Path("out/model"), tiny_.Path("prepared"), "auto", tiny_.Path("mine.json")};
  }
  std::string ErrorOf() { return std::string(FeaturesOfModel(job_, options_, events_).message()); }
  FeatureReport Report() const {
    auto report = ReadFeatureReport(options_.out);
    EXPECT_TRUE(report.ok()) << report.status();
    return *std::move(report);
  }

  const TinyRun tiny_;
  JobConfig job_;
  FeaturesOfModelOptions options_;
  RecordingSink events_;
};

TEST_F(FeaturesOfModelTest, AgreesWithTheReportOfTheRun) {
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out")).ok());
  const absl::Status status = FeaturesOfModel(job_, options_, events_);
  ASSERT_TRUE(status.ok()) << status;
  const FeatureReport mine = Report();
  const FeatureReport run = *ReadFeatureReport(tiny_.Path("out/features.json"));
  EXPECT_EQ(mine.policy_digest, run.policy_digest);
  EXPECT_EQ(mine.reference_digest, run.reference_digest);
  EXPECT_EQ(mine.data_digest, run.data_digest);
  EXPECT_EQ(mine.saes[0].chosen, run.saes[0].chosen);
  for (const MovedFeature& feature : run.saes[0].moved) {
    EXPECT_NEAR(mine.saes[0].Find(feature.index)->chosen->after, feature.chosen->after, 1e-5);
  }
  EXPECT_THAT(events_.Of(EventKind::kResult), SizeIs(1));
  // A model against itself: nothing moves.
  options_.model = tiny_.Path("model");
  ASSERT_TRUE(FeaturesOfModel(job_, options_, events_).ok());
  EXPECT_THAT(Report().saes[0].chosen, IsEmpty());
  EXPECT_THAT(Report().saes[0].moved, IsEmpty());
  EXPECT_EQ(Report().saes[0].before, Report().saes[0].after);
}

TEST_F(FeaturesOfModelTest, WithRecordsAloneItSaysWhatIsMissing) {
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out")).ok());
  options_.reference = tiny_.Path("out/reference.fpr");
  const absl::Status status = FeaturesOfModel(job_, options_, events_);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Report().reference_codes, "records");
  EXPECT_THAT(Report().missing, Contains(HasSubstr("the reference model was not run")));
  EXPECT_FALSE(Report().saes[0].before.has_value());
  EXPECT_EQ(Report().saes[0].chosen,
            ReadFeatureReport(tiny_.Path("out/features.json"))->saes[0].chosen);
  job_.reference.features = "top";
  EXPECT_THAT(ErrorOf(), HasSubstr("would be taken for 0"));
}

TEST_F(FeaturesOfModelTest, ACheckpointIsAModelToo) {
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out")).ok());
  options_.model = tiny_.Path("out/checkpoints/step-2");
  const absl::Status status = FeaturesOfModel(job_, options_, events_);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(Report().saes[0].chosen, SizeIs(4));
}

TEST_F(FeaturesOfModelTest, BadInputIsAnErrorThatNamesIt) {
  options_.model = tiny_.Path("model");
  job_.sae.clear();
  EXPECT_THAT(ErrorOf(), HasSubstr("the job names no SAE"));
  job_ = tiny_.Job("fpo");
  job_.method.features = "hidden";
  EXPECT_THAT(ErrorOf(), HasSubstr("method.features is hidden"));
  job_ = tiny_.Job("fpo");
  job_.features.explanations = tiny_.Path("labels.jsonl");
  ASSERT_TRUE(WriteFileAtomically(job_.features.explanations,
                                  "{\"index\": 1, \"layer\": \"7-res\", \"description\": \"x\"}\n")
                  .ok());
  EXPECT_THAT(ErrorOf(), HasSubstr("of layer 7, and the SAE reads layer 1"));
  options_.prepared.clear();
  EXPECT_THAT(ErrorOf(), HasSubstr("data.eval is empty"));
  EXPECT_FALSE(std::filesystem::exists(options_.out));
}

TEST_F(FeaturesOfModelTest, LabelsAreAddedToTheirFeatures) {
  ASSERT_TRUE(TrainOnce(job_, tiny_.Run("out")).ok());
  std::string lines;
  for (int i = 0; i < 32; ++i) {
    lines += "{\"index\": \"" + std::to_string(i) + "\", \"layer\": \"1-tiny-res-0k\", " +
             "\"description\": \"label " + std::to_string(i) + "\"}\n";
  }
  job_.features.explanations = tiny_.Path("labels.jsonl");
  ASSERT_TRUE(WriteFileAtomically(job_.features.explanations, lines).ok());
  const absl::Status status = FeaturesOfModel(job_, options_, events_);
  ASSERT_TRUE(status.ok()) << status;
  const FeatureReport report = Report();
  ASSERT_THAT(report.saes[0].moved, Not(IsEmpty()));
  for (const MovedFeature& feature : report.saes[0].moved) {
    EXPECT_EQ(feature.label, "label " + std::to_string(feature.index));
  }
}

}  // namespace
}  // namespace fpo::train
