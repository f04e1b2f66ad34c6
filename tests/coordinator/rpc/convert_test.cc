#include "coordinator/rpc/convert.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/message_fields.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;
using ::fpo::testing::Unset;

Job FullJob() {
  Job job = RunningJob("j-1");
  job = After(job, {ReportOf(job, "w1", ReportStatus::kFailed, EndClass::kInvalid, "boom")});
  job.kind = JobKind::kTrain;
  job.method = "fpo";
  job.demand.min_slots = 1;
  job.restarts_used = 2;
  job.checkpoint_step = 3;
  job.progress = {Phase::kTrain,
                  1,
                  2,
                  "steps",
                  "working",
                  3,
                  4,
                  {{"loss", 0.5}},
                  {1, 2, 3, "aa", "bb", 1.5, 2.5, 3.5},
                  kStart};
  job.result = {{"eval_loss", 0.25}};
  job.result_texts = {{"device_name", "a GPU"}};
  job.revision = 9;
  job.after_ok = {"j-0"};
  job.after_end = {"j-00"};
  job.labels = {{"team", "a"}};
  job.bad_checkpoints = {{40, 1, "another SHA-256", kStart}};
  job.retry_of = "j-00";
  job.trace.trace_id = std::string(32, 'a');
  job.host_faults = {{"w1", 2}, {"w2", 1}};
  return job;
}

TEST(ConvertJob, FillsEveryField) {
  const pb::Job proto = ToProto(FullJob(), "{}");
  EXPECT_EQ(Unset(proto), std::vector<std::string>{"slots_held"}) << proto.DebugString();
  EXPECT_EQ(ToProto(RunningJob("j-1", {"w1", "w2"}), "{}").slots_held(), 2);
  EXPECT_EQ(proto.state(), pb::JOB_STATE_FAILED);
  EXPECT_EQ(proto.attempts(0).workers(0), "w1");
  EXPECT_EQ(proto.submitted().seconds(), absl::ToUnixSeconds(kStart));
  EXPECT_EQ(proto.progress().cache().reference_seconds(), 1.5);
  EXPECT_EQ(proto.progress().cache().saved_flops(), 3.5);
  EXPECT_EQ(proto.result().at("eval_loss"), 0.25);
  EXPECT_EQ(proto.result_texts().at("device_name"), "a GPU");
  EXPECT_EQ(proto.excluded_workers_size(), 1) << "one fault is not enough";
  EXPECT_EQ(ToListedProto(FullJob()).spec().config_json(), "");
}

TEST(ConvertCheckpoint, DecisionsSayWhatWasRemovedAndWhy) {
  const Checkpoint checkpoint{40, 1, 2, "/out/step-40", "ab", 12, 0.5, true, kStart};
  const pb::GcCheckpointsResponse gc =
      ToProto(std::vector<RetentionDecision>{{checkpoint, false, "old"}});
  EXPECT_TRUE(gc.decisions(0).removed());
  EXPECT_EQ(gc.decisions(0).why(), "old");
}

TEST(ConvertAudit, FillsEveryField) {
  const AuditEntry entry{7, kStart, "ana", "Submit", "j-1", "OK", "tiny", "r"};
  EXPECT_EQ(Unset(ToProto(entry)), std::vector<std::string>{});
  pb::ListAuditRequest request;
  EXPECT_EQ(FromProto(request).limit, 500);
  EXPECT_EQ(FromProto(request).since, absl::InfinitePast());
  request.set_limit(9);
  request.set_before(8);
  request.set_who("ana");
  request.set_target("j-1");
  request.mutable_since()->set_seconds(3);
  const AuditFilter filter = FromProto(request);
  EXPECT_EQ(filter.limit, 9);
  EXPECT_EQ(filter.before, 8u);
  EXPECT_EQ(filter.who, "ana");
  EXPECT_EQ(filter.target, "j-1");
  EXPECT_EQ(filter.since, absl::FromUnixSeconds(3));
}

TEST(ConvertAnswers, ExplanationQueueAndPreviewFillEveryField) {
  pb::ExplainJobResponse why = ToProto(Explanation{Standing::kHeld, "text", {"detail"}, "next"});
  why.set_state(pb::JOB_STATE_HELD);
  EXPECT_EQ(Unset(why), std::vector<std::string>{});

  QueueView queue;
  queue.waiting = {{std::make_shared<const Job>(MakeJob("j-1")), 1, kStart, kStart}};
  queue.slots = 2;
  const pb::QueueResponse proto = ToProto(queue);
  EXPECT_EQ(proto.waiting(0).position(), 1);
  EXPECT_TRUE(proto.waiting(0).has_start_estimate());
  EXPECT_TRUE(proto.waiting(0).has_end_estimate());
  EXPECT_EQ(proto.slots(), 2);

  pb::ValidateResponse response;
  Fill(Preview{{"w"}, "fit", "quota", 3, kStart, absl::Seconds(9), "records", "files"}, &response);
  response.add_problems("p");
  EXPECT_EQ(Unset(response), std::vector<std::string>{});
  EXPECT_EQ(response.run_seconds_estimate(), 9);
}

TEST(ConvertAsks, ReadEveryField) {
  pb::LogsRequest logs;
  EXPECT_EQ(FromProto(logs).rank, std::nullopt);
  logs.set_after(4);
  logs.set_attempt(2);
  logs.set_rank(0);
  logs.mutable_since()->set_seconds(3);
  logs.mutable_since()->set_nanos(500'000'000);
  const LogQuery query = FromProto(logs);
  EXPECT_EQ(query.after, 4u);
  EXPECT_EQ(query.attempt, 2);
  EXPECT_EQ(query.rank, 0);
  EXPECT_EQ(query.since_unix_ms, 3500);

  pb::SubmitRequest submit;
  submit.set_request_id("r");
  submit.mutable_spec()->set_config_json("{}");
  submit.mutable_spec()->set_owner("ada");
  submit.set_hold(true);
  submit.add_after_ok("j-1");
  const SubmitRequest request = FromProto(submit);
  EXPECT_EQ(request.request_id + request.config_json + request.owner, "r{}ada");
  EXPECT_TRUE(request.hold);
  EXPECT_EQ(request.after_ok, std::vector<std::string>{"j-1"});

  pb::RetryJobRequest retry;
  retry.set_request_id("r");
  retry.set_job_id("j");
  retry.set_from_step(3);
  retry.mutable_spec()->set_config_json("{}");
  retry.mutable_spec()->set_owner("ada");
  const RetryRequest again = FromProto(retry);
  EXPECT_EQ(again.request_id + again.job + again.config_json + again.owner, "rj{}ada");
  EXPECT_EQ(again.from_step, 3);

  pb::SetWorkerModeRequest mode;
  mode.set_mode(pb::SetWorkerModeRequest::MODE_DRAIN);
  mode.set_note("disk");
  EXPECT_EQ(FromProto(mode).value(), (WorkerMode{WorkerMode::Kind::kDraining, "disk"}));
  mode.set_mode(pb::SetWorkerModeRequest::MODE_UNSPECIFIED);
  EXPECT_FALSE(FromProto(mode).ok());
  mode.set_mode(static_cast<pb::SetWorkerModeRequest::Mode>(9));
  EXPECT_FALSE(FromProto(mode).ok());
}

TEST(ConvertJob, AbsentTimesAreAbsent) {
  const pb::Job proto = ToProto(MakeJob("j-1"), "");
  EXPECT_FALSE(proto.has_started());
  EXPECT_FALSE(proto.has_ended());
  EXPECT_FALSE(proto.progress().has_updated());
  EXPECT_FALSE(proto.progress().has_cache());
}

TEST(ConvertLines, FillEveryField) {
  const pb::LogLine log = ToProto(LogLine{7, 2, 3, LineStream::kStderr, 1500, "text"});
  EXPECT_EQ(Unset(log), std::vector<std::string>{});
  EXPECT_EQ(log.time().nanos(), 500'000'000);
  EXPECT_EQ(Unset(ToProto(EventLine{7, 2, 3, "{}"})), std::vector<std::string>{});
}

TEST(ConvertWorker, FillsEveryField) {
  WorkerView view;
  view.hello = HelloOf("w1", 4);
  view.connected = true;
  view.slots_used = 2;
  view.last_heartbeat = kStart;
  view.jobs = {"j-1"};
  view.hello.labels = {{"gpu", "h100"}};
  view.hello.memory_bytes = int64_t{64} << 30;
  view.hello.devices = {{1, "GPU-1", "H100", 80, 7, "550"}};
  EXPECT_EQ(ToProto(view).state(), pb::WORKER_STATE_READY);
  view.mode = {WorkerMode::Kind::kDraining, "disk"};
  const pb::Worker proto = ToProto(view);
  EXPECT_EQ(Unset(proto), std::vector<std::string>{});
  EXPECT_EQ(proto.state(), pb::WORKER_STATE_DRAINING);
  view.slots_used = 0;
  EXPECT_EQ(ToProto(view).state(), pb::WORKER_STATE_DRAINED);
  view.mode.kind = WorkerMode::Kind::kCordoned;
  EXPECT_EQ(ToProto(view).state(), pb::WORKER_STATE_CORDONED);
  view.connected = false;
  EXPECT_EQ(ToProto(view).state(), pb::WORKER_STATE_LOST);
}

TEST(ConvertList, ChecksStatesAndLimitsPages) {
  pb::ListJobsRequest request;
  EXPECT_EQ(FromProto(request)->page_size, 100);
  request.set_page_size(100'000);
  request.add_states(pb::JOB_STATE_QUEUED);
  request.set_owner("ada");
  request.set_page_token("j-1");
  const JobFilter filter = FromProto(request).value();
  EXPECT_EQ(filter.page_size, 500);
  EXPECT_EQ(filter.states, std::vector<JobState>{JobState::kQueued});
  EXPECT_EQ(filter.owner, "ada");
  EXPECT_EQ(filter.page_token, "j-1");
  request.add_states(pb::JOB_STATE_UNSPECIFIED);
  EXPECT_FALSE(FromProto(request).ok());
}

// Some dozens of long error texts must not hide all jobs from everybody.
TEST(ConvertTest, APageEndsWhereAMessageIsFull) {
  JobPage page;
  for (int i = 0; i < 100; ++i) {
    auto job = std::make_shared<Job>(MakeJob("j-" + std::to_string(100 + i)));
    job->reason = std::string(60'000, 'x');
    page.jobs.push_back(job);
  }
  fpo::v1::ListJobsResponse response;
  Fill(page, &response);
  EXPECT_LT(response.ByteSizeLong(), size_t{4} << 20);
  EXPECT_GT(response.jobs_size(), 40);
  EXPECT_EQ(response.next_page_token(), response.jobs().rbegin()->job_id());

  page.jobs.resize(3);
  page.next_page_token = "j-102";
  response.Clear();
  Fill(page, &response);
  EXPECT_EQ(response.jobs_size(), 3);
  EXPECT_EQ(response.next_page_token(), "j-102");
}

}  // namespace
}  // namespace fpo::coordinator
