#include "ctl/rpc/convert.h"

#include <nlohmann/json.hpp>

#include "gtest/gtest.h"
#include "tests/ctl/sample_job.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

TEST(ConvertTest, JobKeepsEveryField) {
  pb::Job job = SampleMessage("j-1", pb::JOB_STATE_RECOVERING);
  job.set_reason("lease ran out");
  job.set_restarts_used(2);
  job.set_checkpoint_step(40);
  job.set_priority(700);
  job.mutable_attempts(0)->set_end_class(pb::END_CLASS_INFRASTRUCTURE);
  job.mutable_attempts(0)->set_end_message("w1 was silent");
  job.mutable_progress()->mutable_updated()->set_seconds(kSampleStart + 60);
  pb::CacheUse& cache = *job.mutable_progress()->mutable_cache();
  cache.set_records_total(10);
  cache.set_records_hit(4);
  cache.set_records_computed(3);
  cache.set_reference_seconds(1.5);
  cache.set_saved_seconds(2.5);
  cache.set_saved_flops(3.5);
  cache.set_manifest_id("ab");
  (*job.mutable_result())["eval_loss"] = 0.5;
  const JobView view = ViewOf(job);
  EXPECT_EQ(view.job_id, "j-1");
  EXPECT_EQ(view.name, "tiny-fpo");
  EXPECT_EQ(view.kind, "train");
  EXPECT_EQ(view.method, "fpo");
  EXPECT_EQ(view.model, "/runs/sft/model");
  EXPECT_EQ(view.output, "/runs/fpo");
  EXPECT_TRUE(view.has_reference);
  EXPECT_EQ(view.owner, "ann");
  EXPECT_EQ(view.state, "RECOVERING");
  EXPECT_EQ(view.reason, "lease ran out");
  EXPECT_EQ(view.restarts_used, 2);
  EXPECT_EQ(view.checkpoint_step, 40);
  EXPECT_EQ(view.priority, 700);
  EXPECT_EQ(view.submitted, absl::FromUnixSeconds(kSampleStart));
  EXPECT_EQ(view.started, absl::FromUnixSeconds(kSampleStart + 2));
  EXPECT_EQ(view.ended, std::nullopt);
  ASSERT_EQ(view.attempts.size(), 1u);
  EXPECT_EQ(view.attempts[0].epoch, 4u);
  EXPECT_EQ(view.attempts[0].workers, std::vector<std::string>{"w1"});
  EXPECT_EQ(view.attempts[0].end_class, "infrastructure");
  EXPECT_EQ(view.attempts[0].end_message, "w1 was silent");
  EXPECT_EQ(view.progress.phase, "train");
  EXPECT_EQ(view.progress.done, 63);
  EXPECT_EQ(view.progress.total, 120);
  EXPECT_EQ(view.progress.unit, "steps");
  EXPECT_EQ(view.progress.total_steps, 120);
  EXPECT_EQ(view.progress.updated, absl::FromUnixSeconds(kSampleStart + 60));
  EXPECT_EQ(view.progress.metrics.at("loss"), 0.63214);
  ASSERT_TRUE(view.cache.has_value());
  EXPECT_EQ(view.cache->total, 10);
  EXPECT_EQ(view.cache->hit, 4);
  EXPECT_EQ(view.cache->computed, 3);
  EXPECT_EQ(view.cache->reference_seconds, 1.5);
  EXPECT_EQ(view.cache->saved_seconds, 2.5);
  EXPECT_EQ(view.cache->saved_flops, 3.5);
  EXPECT_EQ(view.result.at("eval_loss"), 0.5);
}

TEST(ConvertTest, UnreadableConfigStaysEmpty) {
  for (const char* config : {"", "not json", "[]", "{\"kind\": 3, \"model\": []}"}) {
    pb::Job job;
    job.mutable_spec()->set_config_json(config);
    const JobView view = ViewOf(job);
    EXPECT_EQ(view.output, "") << config;
    EXPECT_EQ(view.model, "") << config;
    EXPECT_FALSE(view.has_reference) << config;
  }
}

TEST(ConvertTest, AnswersAreOneLineOfProto3Json) {
  pb::SubmitResponse response;
  response.set_job_id("j-1");
  response.set_revision(7);
  EXPECT_EQ(AnswerJson(response), R"({"job_id":"j-1","revision":"7","warnings":[],"records":""})");
}

}  // namespace
}  // namespace fpo::ctl
