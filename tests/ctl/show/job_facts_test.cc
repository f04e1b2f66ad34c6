#include "ctl/show/job_facts.h"

#include "gtest/gtest.h"
#include "tests/ctl/sample_job.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

TEST(JobFactsTest, ReadsTheConfiguration) {
  pb::Job job = SampleMessage("j-1", pb::JOB_STATE_RECOVERING);
  const JobConfigFacts facts = ConfigFactsOf(job);
  EXPECT_EQ(facts.model, "/runs/sft/model");
  EXPECT_EQ(facts.output, "/runs/fpo");
  EXPECT_TRUE(facts.has_reference);
  job.set_kind(pb::JOB_KIND_SAE);
  EXPECT_FALSE(ConfigFactsOf(job).has_reference);
}

TEST(JobFactsTest, UnreadableConfigStaysEmpty) {
  for (const char* config : {"", "not json", "[]", "{\"kind\": 3, \"model\": []}"}) {
    pb::Job job;
    job.mutable_spec()->set_config_json(config);
    EXPECT_EQ(ConfigFactsOf(job).output, "") << config;
    EXPECT_EQ(ConfigFactsOf(job).model, "") << config;
    EXPECT_FALSE(ConfigFactsOf(job).has_reference) << config;
  }
}

TEST(JobFactsTest, SaysWhatViewsHaveInCommon) {
  pb::Job job;
  EXPECT_FALSE(IsTerminal(job)) << "of a newer server";
  EXPECT_EQ(AttemptNumber(job), 0);
  EXPECT_FALSE(UsesCache(job));
  EXPECT_EQ(KindText(job, ":"), "");
  job.set_slots(4);
  EXPECT_EQ(SlotsText(job), "4") << "none held, or an older server";
  job.set_slots_held(4);
  EXPECT_EQ(SlotsText(job), "4");
  job.set_slots_held(2);
  EXPECT_EQ(SlotsText(job), "2/4");
  job = SampleJob();
  EXPECT_FALSE(IsTerminal(job));
  EXPECT_TRUE(UsesCache(job));
  EXPECT_EQ(AttemptNumber(job), 1);
  EXPECT_EQ(KindText(job, ", "), "train, fpo");
  for (const auto state :
       {pb::JOB_STATE_SUCCEEDED, pb::JOB_STATE_FAILED, pb::JOB_STATE_CANCELLED}) {
    job.set_state(state);
    EXPECT_TRUE(IsTerminal(job));
  }
  EXPECT_EQ(TimeIf(job.has_ended(), job.ended()), std::nullopt);
  EXPECT_EQ(TimeIf(job.has_submitted(), job.submitted()), absl::FromUnixSeconds(kSampleStart));
}

}  // namespace
}  // namespace fpo::ctl
