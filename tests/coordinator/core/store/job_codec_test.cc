#include "coordinator/core/store/job_codec.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_replace.h"
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
                .min_slots = 1,
                .priority = 7,
                .max_restarts = 9,
                .retry_on_oom = true,
                .queue = "nightly",
                .require = {{"gpu", "h100"}},
                .keep_last = 5,
                .keep_best = 6,
                .data_key = "d4",
                .output = "/runs/a",
                .config_bytes = 300};
  job.labels = {{"team", "a"}};
  job.after_ok = {"j-0"};
  job.after_end = {"j-000"};
  job.bad_checkpoints = {{300, 1, "another SHA-256", kStart}};
  job.retry_of = "j-00";
  job.trace = {std::string(32, 'a'), std::string(16, 'b'), false};
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
  job.result_texts = {{"device_name", "a GPU"}};
  job.ended = kStart + absl::Seconds(6);
  job.revision = 1234;
  Attempt& attempt = job.attempts.back();
  attempt.ended = kStart + absl::Microseconds(7);
  attempt.end_class = EndClass::kProgram;
  attempt.end_message = "boom";
  attempt.end_step = 9;
  attempt.last_error = "err";
  attempt.progressed = true;
  attempt.lost_worker = true;
  attempt.cache = {100, 10, 90, "m", "r", 5};
  attempt.members[0].cache = {100, 10, 90, "m", "r", 5, 6, 7};
  attempt.members[0].prepared = "a1b2";
  attempt.members[0].home = "home-1";
  attempt.members[0].first_rank = 3;
  attempt.members[1].state = MemberState::kGone;
  attempt.rendezvous_port = 29501;
  return job;
}

TEST(JobCodec, JobReadsBack) {
  const Job job = FullJob();
  const absl::StatusOr<Job> read = DecodeJob(EncodeJob(job));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, job);
}

// Stores hold these bytes; programs before and after read them. The line ends are not among them.
TEST(JobCodec, TheStoredBytesStay) {
  const auto unfolded = [](const char* text) { return absl::StrReplaceAll(text, {{"\n", ""}}); };
  EXPECT_EQ(EncodeJob(FullJob()), unfolded(R"(
{"after_end":["j-000"],"after_ok":["j-0"],"attempts":[{"cache":{"manifest_id":"m","recipe_id":"r",
"records_computed":90,"records_hit":10,"records_total":100,"reference_seconds":5.0,
"saved_flops":0.0,"saved_seconds":0.0},"end_class":"program","end_message":"boom","end_step":9,
"ended":1800000000000007,"epoch":1,"last_error":"err","lost_worker":true,"members":[{"cache":{"manifest_id":"m",
"recipe_id":"r","records_computed":90,"records_hit":10,"records_total":100,
"reference_seconds":5.0,"saved_flops":7.0,"saved_seconds":6.0},"first_rank":3,"home":"home-1",
"instance":"i-w1","prepared":"a1b2","slots":1,"state":2,"worker":"w1"},{"cache":{"manifest_id":"",
"recipe_id":"","records_computed":0,"records_hit":0,"records_total":0,"reference_seconds":0.0,
"saved_flops":0.0,"saved_seconds":0.0},"first_rank":0,"home":"","instance":"i-w2","prepared":"",
"slots":1,"state":4,"worker":"w2"}],"number":1,"progressed":true,"rendezvous_port":29501,
"started":1800000000000000}],"attempts_without_progress":2,"bad_checkpoints":[{"attempt":1,
"found":1800000000000000,"step":300,"why":"another SHA-256"}],"checkpoint_step":500,
"checkpoints":[{"accepted":1800000000000000,"attempt":1,"bytes":12,"digest":"ab","epoch":2,
"folder":"/out/step-400","pinned":true,"score":0.25,"step":400},{"accepted":1800000000000000,
"attempt":0,"bytes":0,"digest":"","epoch":0,"folder":"","pinned":false,"score":null,"step":500}],
"demand":{"config_bytes":300,"data_key":"d4","keep_best":6,"keep_last":5,"max_restarts":9,"min_slots":1,
"output":"/runs/a","priority":7,
"queue":"nightly","require":{"gpu":"h100"},"retry_on_oom":true,"slots":2},
"ended":1800000006000000,"epoch":1,"host_faults":{"w1":2},"job_id":"j-1","kind":"train","labels":{
"team":"a"},"method":"fpo","name":"job-j-1","not_before":1800000004000000,"owner":"ada",
"phase_reached":2,"progress":{"activity":"step 4: 1 of 2 micro-batches","cache":{
"manifest_id":"aa","recipe_id":"bb","records_computed":10,"records_hit":90,"records_total":100,
"reference_seconds":1.5,"saved_flops":0.0,"saved_seconds":0.0},"done":8,"metrics":{"loss":0.693,
"rewards/margins":"inf"},"phase":"train","step":10,"total":9,"total_steps":11,"unit":"steps",
"updated":1800000005000000},"reason":"why \"quoted\"","reference_records":77,"requeues":3,
"restarts_used":1,"result":{"eval_loss":0.5},
"result_texts":{"device_name":"a GPU"},"retry_of":"j-00","revision":1234,
"started":1800000000000000,"state":"RUNNING","state_since":1800000000000000,
"stop_by":1800000008000000,"submitted":1800000000000000,
"trace_id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","trace_sampled":false,
"trace_span_id":"bbbbbbbbbbbbbbbb","unready_hosts":["w2"]})"));
  EXPECT_EQ(EncodeJob(Job{}), unfolded(R"(
{"after_end":[],"after_ok":[],"attempts":[],"attempts_without_progress":0,"bad_checkpoints":[],
"checkpoint_step":0,"checkpoints":[],
"demand":{"config_bytes":0,"data_key":"","keep_best":1,"keep_last":2,
"max_restarts":3,"min_slots":0,"output":"",
"priority":500,"queue":"default","require":{},"retry_on_oom":false,"slots":1},
"ended":null,"epoch":0,"host_faults":{},"job_id":"","kind":"","labels":{},"method":"","name":"",
"not_before":null,"owner":"","phase_reached":0,"progress":{"activity":"","cache":{
"manifest_id":"","recipe_id":"","records_computed":0,"records_hit":0,"records_total":0,
"reference_seconds":0.0,"saved_flops":0.0,"saved_seconds":0.0},"done":0,"metrics":{},"phase":"",
"step":0,"total":0,"total_steps":0,"unit":"","updated":null},"reason":"","reference_records":0,
"requeues":0,"restarts_used":0,"result":{},
"result_texts":{},"retry_of":"","revision":0,"started":null,
"state":"QUEUED","state_since":0,"stop_by":null,"submitted":0,"trace_id":"","trace_sampled":true,"trace_span_id":"","unready_hosts":[]})"));
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
