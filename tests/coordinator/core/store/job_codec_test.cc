#include "coordinator/core/store/job_codec.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

// Every field with a value of its own.
Job FullJob() {
  Job job = RunningJob("j-1", {"w1", "w2"});
  job.config_json.clear();  // stored beside the job
  job.kind = JobKind::kTrain;
  job.method = "fpo";
  job.demand = {.slots = 2,
                .priority = 7,
                .max_restarts = 9,
                .retry_on_oom = true,
                .queue = "nightly",
                .require = {{"gpu", "h100"}},
                .keep_last = 5,
                .keep_best = 6,
                .data_key = "d4"};
  job.labels = {{"team", "a"}};
  job.after_ok = {"j-0"};
  job.after_end = {"j-000"};
  job.bad_checkpoints = {{300, 1, "another SHA-256", kStart}};
  job.retry_of = "j-00";
  job.stop_by = kStart + absl::Seconds(8);
  job.host_faults = {{"w1", 2}};
  job.unready_hosts = {"w2"};
  job.checkpoints = {{400, 1, 2, "/out/step-400", "ab", 12, 0.25, true, kStart}, {500}};
  job.checkpoints[1].accepted = kStart;
  job.reason = "why \"quoted\"";
  job.restarts_used = 1;
  job.attempts_without_progress = 2;
  job.requeues = 3;
  job.not_before = kStart + absl::Seconds(4);
  job.checkpoint_step = 500;
  job.phase_reached = Phase::kTrain;
  job.reference_records = 77;
  job.progress.phase = Phase::kTrain;
  job.progress.done = 8;
  job.progress.total = 9;
  job.progress.unit = "steps";
  job.progress.activity = "step 4: 1 of 2 micro-batches";
  job.progress.step = 10;
  job.progress.total_steps = 11;
  job.progress.metrics = {{"loss", 0.693},
                          {"rewards/margins", std::numeric_limits<double>::infinity()}};
  job.progress.cache = {100, 90, 10, "aa", "bb", 1.5};
  job.progress.updated = kStart + absl::Seconds(5);
  job.result = {{"eval_loss", 0.5}};
  job.ended = kStart + absl::Seconds(6);
  job.revision = 1234;
  Attempt& attempt = job.attempts.back();
  attempt.ended = kStart + absl::Microseconds(7);
  attempt.end_class = EndClass::kProgram;
  attempt.end_message = "boom";
  attempt.end_step = 9;
  attempt.last_error = "err";
  attempt.progressed = true;
  attempt.cache = {100, 10, 90, "m", "r", 5};
  attempt.members[0].cache = {100, 10, 90, "m", "r", 5, 6, 7};
  attempt.members[0].prepared = "a1b2";
  attempt.rendezvous_port = 29501;
  return job;
}

TEST(JobCodec, JobReadsBack) {
  const Job job = FullJob();
  const absl::StatusOr<Job> read = DecodeJob(EncodeJob(job));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, job);
}

TEST(JobCodec, FreshJobReadsBack) {
  Job job = MakeJob("j-1");
  job.config_json.clear();
  EXPECT_EQ(DecodeJob(EncodeJob(job)).value(), job);
}

TEST(JobCodec, NumbersThatJsonLacksReadBack) {
  Job job = FullJob();
  job.progress.metrics = {{"loss", std::nan("")},
                          {"low", -std::numeric_limits<double>::infinity()}};
  const Job read = DecodeJob(EncodeJob(job)).value();
  EXPECT_TRUE(std::isnan(read.progress.metrics.at("loss")));
  EXPECT_EQ(read.progress.metrics.at("low"), -std::numeric_limits<double>::infinity());
}

TEST(JobCodec, UnknownNamesAreIgnoredAndAbsentOnesDefault) {
  const Job job = DecodeJob(R"({"job_id":"j-1","state":"FAILED","later":1})").value();
  EXPECT_EQ(job.job_id, "j-1");
  EXPECT_EQ(job.state, JobState::kFailed);
  EXPECT_EQ(job.demand, JobDemand{});
}

TEST(JobCodec, DamageIsAnErrorNotAGuess) {
  for (const char* bytes : {"", "{", "[]", "{}", R"({"state":"ASLEEP"})", R"({"state":3})",
                            R"({"state":"QUEUED","epoch":"x"})", "\xff\xfe"}) {
    EXPECT_EQ(DecodeJob(bytes).status().code(), absl::StatusCode::kDataLoss) << bytes;
  }
}

// A cut or changed byte gives an error or a job, never a crash.
TEST(JobCodec, SurvivesEveryCutAndManyFlips) {
  const std::string bytes = EncodeJob(FullJob());
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_FALSE(DecodeJob(absl::string_view(bytes).substr(0, i)).ok());
    std::string flipped = bytes;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    (void)DecodeJob(flipped);
  }
}

// Written by the version before HELD, queues and checkpoints.
TEST(JobCodec, AJobOfTheVersionBeforeIsRead) {
  const Job job =
      DecodeJob(R"({"job_id":"j-1","state":"RECOVERING","demand":{"slots":2,"priority":9},)"
                R"("attempts":[{"number":1,"epoch":1,"members":[],"started":1,"ended":2}],)"
                R"("epoch":1,"submitted":1,"state_since":1,"checkpoint_step":40})")
          .value();
  EXPECT_EQ(job.state, JobState::kRecovering);
  EXPECT_EQ(job.demand.slots, 2);
  EXPECT_EQ(job.demand.queue, "default");
  EXPECT_EQ(job.checkpoint_step, 40);
  EXPECT_TRUE(job.checkpoints.empty());
  EXPECT_EQ(job.stop_by, absl::InfinitePast());
}

}  // namespace
}  // namespace fpo::coordinator
