#include "coordinator/core/scheduling/preview.h"

#include "common/job/job_file.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

class PreviewTest : public ::testing::Test {
 protected:
  Preview Look(const Job& job) {
    PreviewSnapshot snapshot{running_, queued_,  offers_, &quotas_, &times_,
                             &near_,   earlier_, find_,   kStart};
    return PreviewJob(job, snapshot);
  }

  std::vector<JobPtr> running_, queued_;
  std::vector<SlotOffer> offers_ = {Offer("w1", 2, 2)};
  std::vector<QuotaRule> quotas_;
  RunTimes times_;
  std::set<std::string> near_ = {"w1"};
  JobPtr earlier_;
  FindJob find_ = [this](const std::string& id) {
    for (const std::vector<JobPtr>* jobs : {&running_, &queued_}) {
      for (const JobPtr& job : *jobs) {
        if (job->job_id == id) return job;
      }
    }
    return JobPtr();
  };
};

TEST_F(PreviewTest, RecordsOfAnEarlierJobOnTheSameDataAreSaid) {
  EXPECT_EQ(Look(MakeJob("j-1")).records, "");
  Job job = MakeJob("j-0");
  job.progress.cache = {100, 60, 40, "m", "r", 12.5};
  earlier_ = std::make_shared<const Job>(job);
  EXPECT_EQ(Look(MakeJob("j-1")).records,
            "100 of 100 present since job j-0, about 12s of computing saved");
  job.progress.cache.saved_seconds = 100;  // by the 60 that job j-0 found
  EXPECT_EQ(RecordsSince(std::make_shared<const Job>(job), MakeJob("j-1")),
            "100 of 100 present since job j-0, about 1m52s of computing saved");
  job.progress.cache.records_computed = 0;
  job.progress.cache.saved_seconds = 0;
  EXPECT_EQ(RecordsSince(std::make_shared<const Job>(job), MakeJob("j-1")),
            "60 of 100 present since job j-0")
      << "never measured";
}

TEST_F(PreviewTest, RecordsOfOtherPairsArePromisedToNobody) {
  JobConfig config = ReadJobJson(ConfigJson("a")).value();
  const auto job = [&] {
    Job made = MakeJob("j-0");
    made.config_json = WriteJobJson(config);
    made.progress.cache = {10, 0, 10, "m", "r", 0};
    return made;
  };
  const Job whole = job();
  config.max_steps = 1;
  const auto earlier = std::make_shared<const Job>(job());
  EXPECT_EQ(RecordsSince(earlier, *earlier), "10 of 10 present since job j-0");
  EXPECT_EQ(RecordsSince(earlier, whole).rfind("some present since job j-0", 0), 0u)
      << "a smoke's records are not those of the run";
  config.method.name = "dpo";
  config.reference = {"cached", config.model.path};
  config.kind = "reference";
  config.max_steps.reset();
  EXPECT_EQ(RecordsSince(std::make_shared<const Job>(job()), whole),
            "10 of 10 present since job j-0")
      << "it is for all runs";
}

TEST_F(PreviewTest, AFreeWorkerIsNamed) {
  const Preview preview = Look(MakeJob("j-1"));
  EXPECT_EQ(preview.fit, "would start at once on w1");
  EXPECT_EQ(preview.start, kStart);
  EXPECT_EQ(preview.takes, std::nullopt);
  EXPECT_EQ(preview.files, "held by w1");
  EXPECT_EQ(preview.quota, "");
}

TEST_F(PreviewTest, WhatIsMissingIsSaid) {
  EXPECT_EQ(Look(MakeJob("j-1", 3)).fit,
            "no-worker-fits: asks for 3 slots, the largest offer is 2 over 1 worker");
  offers_[0].free = 0;
  EXPECT_EQ(Look(MakeJob("j-1", 1)).fit, "waiting-for-slots: needs 1, 0 free");
  EXPECT_EQ(Look(MakeJob("j-1", 1)).start, std::nullopt) << "when slots are freed is unknown";
}

TEST_F(PreviewTest, AJobThatWaitsForOthersDoesNotStartAtOnce) {
  queued_ = {std::make_shared<const Job>(MakeJob("j-0"))};
  Job job = MakeJob("j-1");
  job.after_ok = {"j-0"};
  EXPECT_EQ(Look(job).fit, "dependency: job j-0 is QUEUED");
  EXPECT_EQ(Look(job).start, std::nullopt) << "how long j-0 takes is unknown";
  EXPECT_EQ(Look(MakeJob("j-2")).jobs_ahead, 1);
  queued_ = {std::make_shared<const Job>(job)};
  running_ = {std::make_shared<const Job>(RunningJob("j-0"))};
  EXPECT_EQ(Look(MakeJob("j-2")).jobs_ahead, 0) << "j-1 waits for j-0";
  EXPECT_EQ(Look(MakeJob("j-2")).fit, "would start at once on w1");
}

TEST_F(PreviewTest, JobsAheadQuotaAndUsualTimesCount) {
  queued_ = {std::make_shared<const Job>(MakeJob("j-0"))};
  quotas_ = {{QuotaRule::Of::kOwner, "ada", 0}};
  Job done = MakeJob("j-9");
  done.started = kStart;
  done.ended = kStart + absl::Minutes(3);
  times_.Note(done);
  const Preview preview = Look(MakeJob("j-1"));
  EXPECT_EQ(preview.jobs_ahead, 1);
  EXPECT_EQ(preview.fit, "would fit now on w1");
  EXPECT_EQ(preview.takes, absl::Minutes(3));
  EXPECT_EQ(preview.quota.rfind("quota: owner ada", 0), 0u);
}

}  // namespace
}  // namespace fpo::coordinator
