#include "ctl/show/render.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "common/wire/wire_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/ctl/sample_job.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

using ::testing::HasSubstr;
using ::testing::Not;

TextStyle Terminal() {
  TextStyle style;
  style.columns = 80;
  style.unicode = true;
  return style;
}

FollowState At(int64_t seconds_after_start, std::optional<double> rate = std::nullopt) {
  return {absl::FromUnixSeconds(kSampleStart + 2 + seconds_after_start), rate, ""};
}

void ExpectFits(const std::string& text, int columns) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    EXPECT_LE(DisplayWidth(line), columns) << line;
  }
}

TEST(RenderWatchBlockTest, ShowsEverythingAt80Columns) {
  const std::string block = RenderWatchBlock(SampleJob(), At(133, 0.5), Terminal());
  EXPECT_EQ(block,
            "j-4f2a1c  tiny-fpo  RUNNING  2m13s\n"
            "  prepare ✓   reference ✓   train ▶   finish ·\n"
            "  █████████████████████░░░░░░░░░░░░░░░░░░░  53 %  63 of 120 steps  ETA 1m54s\n"
            "  step 63/120   loss 0.6321   accuracy 0.7134   margin 0.1522\n"
            "  divergence 0.0021/0.0034 (chosen/rejected)   speed 12,300 tokens/s\n"
            "  records: 1,204 of 2,400 present, 1,196 to compute\n");
  ExpectFits(block, 80);
}

TEST(RenderWatchBlockTest, WithoutUnicodeIsPlainAscii) {
  TextStyle style = Terminal();
  style.unicode = false;
  const std::string block = RenderWatchBlock(SampleJob(), At(133, 0.5), style);
  for (const char c : block) EXPECT_GE(c, '\n');
  EXPECT_THAT(block, HasSubstr("  prepare [done] > reference [done] > train [now] > finish\n"));
  EXPECT_THAT(block, HasSubstr("#####################-------------------"));
}

TEST(RenderWatchBlockTest, MissingValuesAreDashes) {
  pb::Job job = SampleJob();
  job.mutable_progress()->clear_metrics();
  job.mutable_progress()->set_step(0);
  job.mutable_progress()->set_total(0);
  job.mutable_progress()->set_done(0);
  job.mutable_progress()->clear_cache();
  job.clear_started();
  job.clear_submitted();
  const std::string block = RenderWatchBlock(job, At(0), Terminal());
  EXPECT_EQ(block,
            "j-4f2a1c  tiny-fpo  RUNNING  -\n"
            "  prepare ✓   reference ✓   train ▶   finish ·\n"
            "  -\n"
            "  step -   loss -   accuracy -   margin -\n"
            "  divergence - (chosen/rejected)   speed -\n");
}

TEST(RenderWatchBlockTest, NumbersBelongToTheKindOfJob) {
  pb::Job job = SampleJob();
  job.mutable_progress()->clear_cache();
  job.mutable_spec()->set_config_json("{}");
  job.mutable_progress()->set_phase(pb::PHASE_PREPARE);
  job.mutable_progress()->set_unit("rows");
  job.mutable_progress()->set_step(0);
  job.mutable_progress()->clear_metrics();
  EXPECT_EQ(RenderWatchBlock(job, At(9), Terminal()),
            "j-4f2a1c  tiny-fpo  RUNNING  9.0s\n"
            "  prepare ▶   train ·   finish ·\n"
            "  █████████████████████░░░░░░░░░░░░░░░░░░░  53 %  63 of 120 rows  ETA -\n")
      << "no numbers before the first step";
  job.set_method("sft");
  job.mutable_progress()->set_phase(pb::PHASE_TRAIN);
  job.mutable_progress()->clear_metrics();
  SetNumbers({{"loss", 5.25}}, job.mutable_progress()->mutable_metrics());
  EXPECT_THAT(RenderWatchBlock(job, At(9), Terminal()),
              HasSubstr("  step -   loss 5.2500\n  speed -\n"));
}

TEST(RenderWatchBlockTest, SaysWhatIsDoneJustNow) {
  pb::Job job = SampleJob();
  job.mutable_progress()->clear_cache();
  job.mutable_spec()->set_config_json("{}");
  job.set_kind(pb::JOB_KIND_SAE);
  job.clear_method();
  job.mutable_progress()->set_activity("collecting activations: 12288 of 98304 tokens");
  job.mutable_progress()->set_done(0);
  job.mutable_progress()->set_step(0);
  job.mutable_progress()->clear_metrics();
  EXPECT_EQ(RenderWatchBlock(job, At(9), Terminal()),
            "j-4f2a1c  tiny-fpo  RUNNING  9.0s\n"
            "  prepare ✓   train ▶   finish ·\n"
            "  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  0 %  0 of 120 steps  ETA -\n"
            "  collecting activations: 12288 of 98304 tokens\n"
            "  step -   loss -   active - a token\n"
            "  speed -\n");
  EXPECT_THAT(
      RenderWatchLine(job, At(9)),
      HasSubstr("RUNNING train 0 of 120 steps (collecting activations: 12288 of 98304 tokens)"));
  job.mutable_progress()->set_phase(pb::PHASE_PREPARE);
  job.mutable_progress()->set_unit("bytes");
  job.mutable_progress()->set_done(1 << 29);
  job.mutable_progress()->set_total(int64_t{5} << 30);
  job.mutable_progress()->set_activity("hashing the weights of /m");
  EXPECT_THAT(RenderWatchBlock(job, At(9), Terminal()), HasSubstr("10 %  0.5 of 5.0 GiB  ETA -\n"));
  job.set_state(pb::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(RenderWatchBlock(job, At(9), Terminal()), Not(HasSubstr("hashing")));
}

TEST(RenderWatchBlockTest, EtaNeedsARate) {
  EXPECT_THAT(RenderWatchBlock(SampleJob(), At(9), Terminal()), HasSubstr("ETA -\n"));
  EXPECT_THAT(RenderWatchBlock(SampleJob(), At(9, 0.0), Terminal()), HasSubstr("ETA -\n"));
}

TEST(RenderWatchBlockTest, QueuedJobShowsWhyItWaits) {
  pb::Job job = SampleJob();
  job.set_state(pb::JOB_STATE_QUEUED);
  job.set_reason("waiting for slots: needs 2, 1 free");
  job.clear_attempts();
  job.clear_progress();
  job.mutable_progress()->clear_cache();
  job.clear_started();
  EXPECT_EQ(RenderWatchBlock(job, At(-1), Terminal()),
            "j-4f2a1c  tiny-fpo  QUEUED  1.0s\n"
            "  waiting for slots: needs 2, 1 free\n"
            "  prepare ·   reference ·   train ·   finish ·\n");
}

TEST(RenderWatchBlockTest, WideAndLongNamesAreCut) {
  pb::Job job = SampleJob();
  for (int i = 0; i < 20; ++i) job.mutable_name()->append("模型");
  job.set_reason(std::string(200, 'x'));
  const std::string block = RenderWatchBlock(job, At(133, 0.5), Terminal());
  ExpectFits(block, 80);
  EXPECT_THAT(block, HasSubstr("…  RUNNING  2m13s\n"));
}

TEST(RenderWatchBlockTest, NarrowTerminal) {
  TextStyle style = Terminal();
  style.columns = 30;
  ExpectFits(RenderWatchBlock(SampleJob(), At(133, 0.5), style), 30);
}

TEST(RenderWatchBlockTest, NoteAndAttemptAndColour) {
  pb::Job job = SampleJob();
  *job.add_attempts() = job.attempts(0);
  job.mutable_attempts(1)->set_number(2);
  FollowState follow = At(133);
  follow.note = "connection lost 3s ago";
  TextStyle style = Terminal();
  EXPECT_THAT(RenderWatchBlock(job, follow, style), HasSubstr("RUNNING  2m13s  attempt 2\n"));
  EXPECT_THAT(RenderWatchBlock(job, follow, style), HasSubstr("  connection lost 3s ago\n"));
  EXPECT_THAT(RenderWatchBlock(job, follow, style), Not(HasSubstr("\x1b")));
  style.color = true;
  EXPECT_THAT(RenderWatchBlock(job, follow, style), HasSubstr("\x1b[36m  RUNNING\x1b[0m"));
}

TEST(RenderWatchBlockTest, APhaseThatIsNotExpectedIsShownAsItIs) {
  pb::Job job = SampleJob();
  job.mutable_spec()->set_config_json("of a newer server");
  job.mutable_progress()->set_phase(pb::PHASE_REFERENCE);
  EXPECT_THAT(RenderWatchBlock(job, At(1), Terminal()), HasSubstr("\n  reference ▶\n"));
}

TEST(CacheLineTest, SaysWhatTheReferenceCosts) {
  pb::Job job = SampleJob();
  EXPECT_EQ(CacheLine(job), "records: 1,204 of 2,400 present, 1,196 to compute");
  job.mutable_progress()->mutable_cache()->set_records_hit(2400);
  job.mutable_progress()->mutable_cache()->set_records_computed(0);
  EXPECT_EQ(CacheLine(job), "all 2,400 records present: no reference pass");
  job.mutable_progress()->mutable_cache()->set_records_hit(400);
  job.mutable_progress()->mutable_cache()->set_records_computed(2000);
  EXPECT_EQ(CacheLine(job), "records: all 2,400 present, 400 from the cache, 2,000 computed");
  job.mutable_progress()->clear_cache();
  EXPECT_EQ(CacheLine(job), "");
}

TEST(RenderWatchLineTest, OneLineWithoutControlCharacters) {
  pb::Job job = SampleJob();
  EXPECT_EQ(RenderWatchLine(job, At(133, 0.5)),
            "j-4f2a1c RUNNING train 63 of 120 steps, loss 0.6321, accuracy 0.7134, margin 0.1522, "
            "divergence 0.0021/0.0034, 12,300 tokens/s, ETA 1m54s\n");
  job.set_state(pb::JOB_STATE_FAILED);
  job.set_reason("program:\n\x1b[31mbad");
  EXPECT_EQ(RenderWatchLine(job, At(133)), "j-4f2a1c FAILED: program:  [31mbad\n");
}

pb::Job Ended(pb::JobState state) {
  pb::Job job = SampleJob();
  job.set_state(state);
  job.mutable_ended()->set_seconds(job.started().seconds() + 192);
  *job.mutable_attempts(0)->mutable_ended() = job.ended();
  job.mutable_attempts(0)->set_end_class(pb::END_CLASS_DONE);
  return job;
}

TEST(RenderSummaryTest, SuccessNamesResultsAndOutput) {
  pb::Job job = Ended(pb::JOB_STATE_SUCCEEDED);
  SetNumbers({{"eval_rewards/accuracies", 0.913}, {"memory_peak_bytes", 3.0 * (1 << 30)}},
             job.mutable_result());
  (*job.mutable_result_texts())["device_name"] = "AMD EPYC";
  pb::CacheUse& cache = *job.mutable_progress()->mutable_cache();
  cache.set_records_hit(2400);
  cache.set_records_computed(0);
  cache.set_reference_seconds(0.2);
  EXPECT_EQ(
      RenderSummary(job, Terminal()),
      "job j-4f2a1c SUCCEEDED in 3m12s (1 attempt)\n"
      "  cache: 100 % hits (2,400 of 2,400 records), 0 forward passes of the reference in 0.2s\n"
      "  device_name              AMD EPYC\n"
      "  eval_rewards/accuracies  0.9130\n"
      "  memory_peak_bytes        3.0 GiB\n"
      "  folder   /runs/fpo\n"
      "  model    /runs/fpo/model\n"
      "  report   /runs/fpo/report.html\n"
      "  metrics  /runs/fpo/metrics.jsonl\n");
}

TEST(RenderSummaryTest, AResultThatIsNotNewIsSaidBeforeItsNumbers) {
  pb::Job job = SampleJob();
  job.set_state(pb::JOB_STATE_SUCCEEDED);
  job.set_reason("nothing was trained: /runs/fpo holds the run of job \"tiny\"");
  SetNumbers({{"eval_loss", 0.5}}, job.mutable_result());
  const std::string text = RenderSummary(job, Terminal());
  EXPECT_LT(text.find("nothing was trained"), text.find("eval_loss")) << text;
}

TEST(RenderSummaryTest, FailureNamesTheReasonAndTheNextCommand) {
  pb::Job job = Ended(pb::JOB_STATE_FAILED);
  job.set_reason("invalid: no row of train.jsonl could be used");
  job.mutable_progress()->clear_cache();
  EXPECT_EQ(RenderSummary(job, Terminal()),
            "job j-4f2a1c FAILED in 3m12s (1 attempt)\n"
            "  invalid: no row of train.jsonl could be used\n"
            "  see why: fpoctl logs j-4f2a1c --tail 50; fpoctl describe j-4f2a1c\n");
}

TEST(RenderJobListTest, StableColumns) {
  pb::Job waiting = SampleJob();
  waiting.set_job_id("j-2");
  waiting.set_name("sae");
  waiting.set_kind(pb::JOB_KIND_SAE);
  waiting.set_method("");
  waiting.set_state(pb::JOB_STATE_QUEUED);
  waiting.clear_progress();
  waiting.set_reason("no worker fits");
  const absl::Time now = absl::FromUnixSeconds(kSampleStart + 62);
  EXPECT_EQ(
      RenderJobList({SampleJob(), waiting}, now, TextStyle()),
      "JOB       NAME      KIND       STATE    PHASE  STEP    AGE    OWNER  REASON\n"
      "j-4f2a1c  tiny-fpo  train:fpo  RUNNING  train  63/120  1m02s  ann    -\n"
      "j-2       sae       sae        QUEUED   -      -       1m02s  ann    no worker fits\n");
  EXPECT_EQ(RenderJobList({}, now, TextStyle()),
            "JOB  NAME  KIND  STATE  PHASE  STEP  AGE  OWNER  REASON\n");
  waiting.set_reason(std::string(300, 'x'));
  ExpectFits(RenderJobList({SampleJob(), waiting}, now, Terminal()), 80);
}

TEST(RenderJobTest, DescribesAttemptsCacheAndLastError) {
  pb::Job job = Ended(pb::JOB_STATE_SUCCEEDED);
  job.mutable_attempts(0)->set_end_class(pb::END_CLASS_INFRASTRUCTURE);
  job.mutable_attempts(0)->set_end_message("lease of w1 ran out\nlast step 40");
  pb::Attempt second = job.attempts(0);
  second.set_number(2);
  second.set_epoch(6);
  second.set_end_class(pb::END_CLASS_DONE);
  second.clear_end_message();
  *job.add_attempts() = second;
  job.set_checkpoint_step(120);
  SetNumbers({{"eval_rewards/margins", 1.25}}, job.mutable_result());
  job.mutable_progress()->mutable_cache()->set_saved_seconds(125);
  job.mutable_progress()->mutable_cache()->set_saved_flops(3.2e15);
  const std::string text = RenderJob(job, TimeOf(job.ended()), Terminal());
  EXPECT_THAT(text, HasSubstr("kind        train, fpo\n"));
  EXPECT_THAT(text, HasSubstr("submitted   2025-01-31 14:03:11\n"));
  EXPECT_THAT(text, HasSubstr("took        3m12s\n"));
  EXPECT_THAT(text, HasSubstr("checkpoint  step 120\n"));
  EXPECT_THAT(text, HasSubstr("cache       50 % hits (1,200 of 2,400 records), 4 forward passes of "
                              "the reference in 3.5s; saved 2m05s and 3.2 PFLOP\n"));
  EXPECT_THAT(text,
              HasSubstr("  1        4      w1       2025-01-31 14:03:13  3m12s  infrastructure\n"));
  EXPECT_THAT(text, HasSubstr("  attempt 1:\n    lease of w1 ran out\n    last step 40\n"));
  EXPECT_THAT(
      text,
      HasSubstr("last error\n  attempt 1, infrastructure: lease of w1 ran out last step 40\n"));
  EXPECT_THAT(text, HasSubstr("result\n  eval_rewards/margins  1.2500\n"));
  EXPECT_THAT(text, HasSubstr("output\n  folder   /runs/fpo\n"));
}

TEST(RenderJobTest, PassesOfTheReferenceAreCountedOnce) {
  pb::Job job;
  SetNumbers({{"loss", 0.5}, {"reference_seconds", 0.0}, {"reference_records_computed", 0}},
             job.mutable_result());
  EXPECT_THAT(RenderJob(job, absl::UnixEpoch(), Terminal()), HasSubstr("reference_seconds"));
  job.mutable_progress()->mutable_cache()->set_records_total(10);
  const std::string text = RenderJob(job, absl::UnixEpoch(), Terminal());
  EXPECT_THAT(text, Not(HasSubstr("reference_")));
  EXPECT_THAT(text, HasSubstr("loss"));
}

TEST(RenderJobTest, EmptyJobIsDashes) {
  const std::string text = RenderJob(pb::Job(), absl::UnixEpoch(), Terminal());
  EXPECT_THAT(text, HasSubstr("submitted   -\n"));
  EXPECT_THAT(text, HasSubstr("cache       -\n"));
  EXPECT_THAT(text, HasSubstr("output\n  folder  -\n"));
}

TEST(RenderComparisonTest, RunsSideBySide) {
  pb::Job fpo = Ended(pb::JOB_STATE_SUCCEEDED);
  SetNumbers({{"eval_rewards/accuracies", 0.9},
              {"eval_rewards/margins", 1.5},
              {"eval_entropy", 2.25},
              {"eval_divergence/relative", 0.01},
              {"memory_peak_bytes", 512.0 * (1 << 20)}},
             fpo.mutable_result());
  pb::Job sft = SampleJob();
  sft.set_name("sft");
  SetNumbers({{"rewards/accuracies", 0.7}},
             sft.mutable_result());  // of a training step: no evaluation
  sft.set_method("sft");
  sft.mutable_progress()->clear_cache();
  const std::string text = RenderComparison({fpo, sft}, TextStyle());
  EXPECT_THAT(text, HasSubstr("tiny-fpo  fpo     SUCCEEDED  0.9000    1.5000  2.2500   0.0100"));
  EXPECT_THAT(text, HasSubstr("50 %  4           3.5s      3m12s       512 MiB\n"));
  EXPECT_THAT(text, HasSubstr("sft       sft     RUNNING    ~0.7000   -       -        -"));
  EXPECT_THAT(text, HasSubstr("\n~ of the last training step: the run had no data.eval\n"));
  EXPECT_THAT(RenderComparison({fpo}, TextStyle()), ::testing::Not(HasSubstr("~")));
}

TEST(RenderTablesTest, WorkersAndManifests) {
  const absl::Time now = absl::FromUnixSeconds(kSampleStart);
  pb::Worker worker;
  worker.set_worker_id("w1");
  worker.set_host("node7");
  worker.set_state(pb::WORKER_STATE_READY);
  worker.set_slots(2);
  worker.set_slots_used(1);
  worker.set_device(pb::DEVICE_KIND_CPU);
  worker.set_version("0.1.0");
  SetTime(now - absl::Seconds(1), worker.mutable_last_beat());
  worker.add_jobs("j-1");
  worker.add_jobs("j-2");
  EXPECT_EQ(RenderWorkers({worker}, now, TextStyle()),
            "WORKER  HOST   STATE  SLOTS  DEVICE  VERSION  BEAT      JOBS     NOTE\n"
            "w1      node7  ready  1/2    cpu     0.1.0    1.0s ago  j-1,j-2  -\n");
  pb::Worker other = worker;
  other.set_worker_id("w2");
  (*other.mutable_labels())["who"] = "bob";
  (*other.mutable_labels())["gpu"] = "h100";
  EXPECT_EQ(
      RenderWorkers({worker, other}, now, TextStyle()),
      "WORKER  HOST   STATE  SLOTS  DEVICE  VERSION  BEAT      LABELS            JOBS     NOTE\n"
      "w1      node7  ready  1/2    cpu     0.1.0    1.0s ago  -                 j-1,j-2  -\n"
      "w2      node7  ready  1/2    cpu     0.1.0    1.0s ago  gpu=h100,who=bob  j-1,j-2  -\n")
      << "the column is shown when a worker has labels";
  pb::Manifest manifest;
  manifest.set_manifest_id(absl::HexStringToBytes("3fa9c1d2e4f5aabbccdd"));
  manifest.set_recipe_id(absl::HexStringToBytes("77aa"));
  manifest.set_recipe("{\"dtype\":\"float32\"}");
  manifest.set_name("tiny-fpo");
  manifest.set_total(2400);
  manifest.set_present(1204);
  manifest.set_bytes(5 << 20);
  SetTime(now - absl::Hours(2), manifest.mutable_created());
  EXPECT_EQ(RenderManifests({manifest}, now, TextStyle()),
            "MANIFEST      NAME      OWNER  RECORDS  PRESENT  SIZE     AGE    USED\n"
            "3fa9c1d2e4f5  tiny-fpo  -      2,400    50 %     5.0 MiB  2h00m  -\n");
  const std::string sheet = RenderManifest(manifest, Terminal());
  EXPECT_THAT(sheet, HasSubstr("manifest  3fa9c1d2e4f5aabbccdd\n"));
  EXPECT_THAT(sheet, HasSubstr("records   1,204 of 2,400 present (50 %)\n"));
  EXPECT_THAT(sheet, HasSubstr("  {\"dtype\":\"float32\"}\n"));
}

TEST(RenderTablesTest, CacheStats) {
  pb::StatsResponse stats;
  stats.set_records(2400);
  stats.set_bytes(1 << 20);
  stats.set_hits(3);
  stats.set_misses(1);
  const std::string text = RenderCacheStats(stats, Terminal());
  EXPECT_THAT(text, HasSubstr("records      2,400\n"));
  EXPECT_THAT(text, HasSubstr("since start  3 hits, 1 misses (75 %), 0 stored, 0 conflicts\n"));
}

}  // namespace
}  // namespace fpo::ctl
