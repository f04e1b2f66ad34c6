#include "train/runs/run_inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/tiny_run.h"
#include "train/events/exit_status.h"

namespace fpo::train {
namespace {

RunInputOptions Options(const TinyRun& tiny) {
  RunInputOptions options;
  options.prepared = tiny.Path("prepared");
  options.reference = "auto";
  options.auto_file = tiny.Path("reference.fpr");
  return options;
}

TEST(RunInputs, LoadsOnlyWhatTheMethodNeeds) {
  const TinyRun tiny;
  RecordingSink events;
  const auto simpo = LoadRunInputs(tiny.Job("simpo"), Options(tiny), events);
  ASSERT_TRUE(simpo.ok()) << simpo.status();
  EXPECT_EQ(simpo->reference, nullptr);
  EXPECT_TRUE(simpo->objective.saes.empty());
  const auto fpo = LoadRunInputs(tiny.Job("fpo"), Options(tiny), events);
  ASSERT_TRUE(fpo.ok()) << fpo.status();
  EXPECT_EQ(fpo->objective.saes.size(), 1u);
  EXPECT_TRUE(fpo->PolicyIsReference());
  EXPECT_EQ(fpo->use.computed, 34);
}

TEST(RunInputs, AnotherReferenceModel) {
  const TinyRun tiny;
  tiny.WriteModel("reference", 4);
  JobConfig job = tiny.Job("dpo");
  job.reference.path = tiny.Path("reference");
  RecordingSink events;
  const auto inputs = LoadRunInputs(job, Options(tiny), events);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  EXPECT_FALSE(inputs->PolicyIsReference());
  EXPECT_NE(inputs->use.model_digest, inputs->policy.digest);
}

TEST(RunInputs, PairsWithoutRejectedSide) {
  TinyRun::Options tiny_options;
  tiny_options.rejected = false;
  const TinyRun tiny(tiny_options);
  RecordingSink events;
  const auto inputs = LoadRunInputs(tiny.Job("simpo"), Options(tiny), events);
  EXPECT_EQ(ExitCodeOf(inputs.status()), ExitCode::kInvalid);
  EXPECT_TRUE(LoadRunInputs(tiny.Job("sft"), Options(tiny), events).ok());
}

// A folder that was prepared for another method would mean other things.
TEST(RunInputs, LabelledExamplesAreForKtoAlone) {
  TinyRun::Options labelled;
  labelled.labelled = true;
  const TinyRun examples(labelled), pairs;
  RecordingSink events;
  EXPECT_TRUE(LoadRunInputs(examples.Job("kto"), Options(examples), events).ok());
  for (const char* method : {"dpo", "sft", "simpo"}) {
    const auto inputs = LoadRunInputs(examples.Job(method), Options(examples), events);
    EXPECT_EQ(ExitCodeOf(inputs.status()), ExitCode::kInvalid) << method;
    EXPECT_THAT(std::string(inputs.status().message()), ::testing::HasSubstr("examples of kto"));
  }
  const auto inputs = LoadRunInputs(pairs.Job("kto"), Options(pairs), events);
  EXPECT_THAT(std::string(inputs.status().message()), ::testing::HasSubstr("holds no labels"));
}

}  // namespace
}  // namespace fpo::train
