#include "coordinator/rpc/convert.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Fields that hold their default: either nobody filled them, or the conversion forgot them.
void CollectUnset(const Message& message, const std::string& path,
                  std::vector<std::string>* unset) {
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    const std::string name = path + field->name();
    if (field->real_containing_oneof() != nullptr && !reflection->HasField(message, field)) {
      continue;
    }
    if (field->is_repeated() ? reflection->FieldSize(message, field) == 0
                             : !reflection->HasField(message, field)) {
      unset->push_back(name);
    } else if (field->message_type() != nullptr && !field->is_map()) {
      const Message& child = field->is_repeated()
                                 ? reflection->GetRepeatedMessage(message, field, 0)
                                 : reflection->GetMessage(message, field);
      if (field->message_type()->full_name() != "google.protobuf.Timestamp") {
        CollectUnset(child, name + ".", unset);
      }
    }
  }
}

std::vector<std::string> Unset(const Message& message) {
  std::vector<std::string> unset;
  CollectUnset(message, "", &unset);
  return unset;
}

Job FullJob() {
  Job job = RunningJob("j-1");
  job = After(job, {ReportOf(job, "w1", ReportStatus::kFailed, EndClass::kInvalid, "boom")});
  job.kind = "train";
  job.method = "fpo";
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
  job.revision = 9;
  job.after_ok = {"j-0"};
  job.after_end = {"j-00"};
  job.labels = {{"team", "a"}};
  job.bad_checkpoints = {{40, 1, "another SHA-256", kStart}};
  job.retry_of = "j-00";
  job.host_faults = {{"w1", 2}, {"w2", 1}};
  return job;
}

TEST(ConvertJob, FillsEveryField) {
  const pb::Job proto = ToProto(FullJob());
  EXPECT_EQ(Unset(proto), std::vector<std::string>{}) << proto.DebugString();
  EXPECT_EQ(proto.state(), pb::FAILED);
  EXPECT_EQ(proto.attempts(0).workers(0), "w1");
  EXPECT_EQ(proto.submitted().seconds(), absl::ToUnixSeconds(kStart));
  EXPECT_EQ(proto.progress().cache().reference_seconds(), 1.5);
  EXPECT_EQ(proto.progress().cache().saved_flops(), 3.5);
  EXPECT_EQ(proto.result().at("eval_loss"), 0.25);
  EXPECT_EQ(proto.excluded_workers_size(), 1) << "one fault is not enough";
  EXPECT_EQ(ToListedProto(FullJob()).spec().config_json(), "");
}

TEST(ConvertCheckpoint, FillsEveryField) {
  const Checkpoint checkpoint{40, 1, 2, "/out/step-40", "ab", 12, 0.5, true, kStart};
  EXPECT_EQ(Unset(ToProto(checkpoint)), std::vector<std::string>{});
  const pb::GcCheckpointsResponse gc =
      ToProto(std::vector<RetentionDecision>{{checkpoint, false, "old"}});
  EXPECT_TRUE(gc.decisions(0).removed());
  EXPECT_EQ(gc.decisions(0).why(), "old");
}

TEST(ConvertAudit, FillsEveryField) {
  const AuditEntry entry{7, kStart, "ana", "Submit", "j-1", "OK", "tiny", "r"};
  EXPECT_EQ(Unset(ToProto(entry)), std::vector<std::string>{});
  EXPECT_EQ(Unset(ToProto(BadCheckpoint{40, 1, "why", kStart})), std::vector<std::string>{});
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
  why.set_state(pb::HELD);
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
  const SubmitAsk ask = FromProto(submit);
  EXPECT_EQ(ask.request_id + ask.config_json + ask.owner, "r{}ada");
  EXPECT_TRUE(ask.hold);
  EXPECT_EQ(ask.after_ok, std::vector<std::string>{"j-1"});

  pb::RetryJobRequest retry;
  retry.set_request_id("r");
  retry.set_job_id("j");
  retry.set_from_step(3);
  retry.mutable_spec()->set_config_json("{}");
  retry.mutable_spec()->set_owner("ada");
  const RetryAsk again = FromProto(retry);
  EXPECT_EQ(again.request_id + again.job + again.config_json + again.owner, "rj{}ada");
  EXPECT_EQ(again.from_step, 3);

  pb::SetWorkerModeRequest mode;
  mode.set_mode(pb::SetWorkerModeRequest::DRAIN);
  mode.set_note("disk");
  EXPECT_EQ(FromProto(mode).value(), (WorkerMode{WorkerMode::Kind::kDraining, "disk"}));
  mode.set_mode(static_cast<pb::SetWorkerModeRequest::Mode>(9));
  EXPECT_FALSE(FromProto(mode).ok());
}

TEST(ConvertJob, EveryStateHasItsName) {
  for (size_t i = 0; i < kEnumSize<JobState>; ++i) {
    Job job = MakeJob("j-1");
    job.state = static_cast<JobState>(i);
    EXPECT_EQ(pb::JobState_Name(ToProto(job).state()), Name(job.state));
  }
}

TEST(ConvertJob, AbsentTimesAreAbsent) {
  const pb::Job proto = ToProto(MakeJob("j-1"));
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

TEST(ConvertLines, TimesBeforeTheEpochAreWellFormed) {
  EXPECT_EQ(ToProto(LogLine{1, 1, 1, LineStream::kStdout, -500, "t"}).time().seconds(), -1);
  EXPECT_EQ(ToProto(LogLine{1, 1, 1, LineStream::kStdout, -500, "t"}).time().nanos(), 500'000'000);
}

TEST(ConvertWorker, FillsEveryField) {
  WorkerView view;
  view.hello = HelloOf("w1", 4);
  view.connected = true;
  view.slots_used = 2;
  view.last_beat = kStart;
  view.jobs = {"j-1"};
  view.hello.labels = {{"gpu", "h100"}};
  view.hello.devices = {{1, "H100", 80, 7, "550"}};
  EXPECT_EQ(ToProto(view).state(), std::string("ready"));
  view.mode = {WorkerMode::Kind::kDraining, "disk"};
  const pb::Worker proto = ToProto(view);
  EXPECT_EQ(Unset(proto), std::vector<std::string>{});
  EXPECT_EQ(proto.state(), "draining");
  view.slots_used = 0;
  EXPECT_EQ(ToProto(view).state(), "drained");
  view.mode.kind = WorkerMode::Kind::kCordoned;
  EXPECT_EQ(ToProto(view).state(), "cordoned");
  view.connected = false;
  EXPECT_EQ(ToProto(view).state(), "lost");
}

TEST(ConvertCommands, FillEveryField) {
  const AttemptRef ref = {"j-1", 2, 3};
  const std::vector<WorkerCommand> commands = {
      WelcomeCommand{{ref}, {ref}, absl::Seconds(2), absl::Seconds(15)},
      BeatAckCommand{5},
      AssignCommand{ref, "{}", 2, 4, 8, true, 40, "host:29500", "ann"},
      KeepCheckpointsCommand{"j-1", {"a"}, {"b"}, {"c"}},
      StopCommand{ref, absl::Seconds(30), "why"},
      AckCommand{ref, 6, 7},
      ServeArtifactCommand{"t", "/out", true, "model/x", 8}};
  for (const WorkerCommand& command : commands) {
    const pb::CoordinatorMessage proto = ToProto(command);
    EXPECT_EQ(Unset(proto), std::vector<std::string>{}) << proto.DebugString();
  }
  EXPECT_EQ(ToProto(commands[0]).welcome().lease_ms(), 15000);
  EXPECT_EQ(ToProto(commands[4]).stop().grace_ms(), 30000);
  EXPECT_EQ(FromProto(ToProto(ref)), ref);
}

TEST(ConvertFromWorker, ReadsEveryField) {
  pb::Hello hello;
  hello.set_worker_id("w1");
  hello.set_instance_id("i");
  hello.set_host("h");
  hello.set_version("v");
  hello.set_slots(3);
  hello.set_device("cuda");
  hello.set_work_dir("/srv/work");
  hello.set_home_id("home");
  hello.set_boot_id("boot");
  (*hello.mutable_labels())["gpu"] = "h100";
  pb::Device* device = hello.add_devices();
  device->set_index(1);
  device->set_name("H100");
  device->set_memory_bytes(80);
  device->set_used_bytes(7);
  device->set_driver("550");
  *hello.add_running() = ToProto(AttemptRef{"j-1", 1, 2});
  const WorkerHello read = FromProto(hello);
  EXPECT_EQ(read.worker_id, "w1");
  EXPECT_EQ(read.instance_id, "i");
  EXPECT_EQ(read.host, "h");
  EXPECT_EQ(read.version, "v");
  EXPECT_EQ(read.slots, 3);
  EXPECT_EQ(read.device, "cuda");
  EXPECT_EQ(read.work_dir, "/srv/work");
  EXPECT_EQ(read.home_id, "home");
  EXPECT_EQ(read.boot_id, "boot");
  EXPECT_EQ(read.labels.at("gpu"), "h100");
  ASSERT_EQ(read.devices.size(), 1u);
  EXPECT_EQ(read.devices[0].index, 1);
  EXPECT_EQ(read.devices[0].name, "H100");
  EXPECT_EQ(read.devices[0].memory_bytes, 80);
  EXPECT_EQ(read.devices[0].used_bytes, 7);
  EXPECT_EQ(read.devices[0].driver, "550");
  EXPECT_EQ(read.running, (std::vector<AttemptRef>{{"j-1", 1, 2}}));

  pb::LogBatch logs;
  *logs.mutable_attempt() = ToProto(AttemptRef{"j-1", 1, 2});
  logs.set_first_seq(9);
  pb::LogItem* item = logs.add_items();
  item->set_rank(1);
  item->set_stream("agent");
  item->set_time_unix_ms(5);
  item->set_text("t");
  const LogBatch batch = FromProto(logs);
  EXPECT_EQ(batch.attempt, (AttemptRef{"j-1", 1, 2}));
  EXPECT_EQ(batch.first_seq, 9u);
  EXPECT_EQ(batch.lines.at(0).stream, LineStream::kAgent);
  EXPECT_EQ(batch.lines.at(0).time_unix_ms, 5);
}

TEST(ConvertFromWorker, EveryReportStatusHasItsMeaning) {
  pb::AttemptReport report;
  *report.mutable_attempt() = ToProto(AttemptRef{"j-1", 1, 2});
  report.set_end_class("memory");
  report.set_message("m");
  report.set_prepared(std::string(200, 'd'));
  const std::vector<std::pair<pb::AttemptReport::Status, ReportStatus>> statuses = {
      {pb::AttemptReport::ACCEPTED, ReportStatus::kAccepted},
      {pb::AttemptReport::REFUSED, ReportStatus::kRefused},
      {pb::AttemptReport::RUNNING, ReportStatus::kRunning},
      {pb::AttemptReport::SUCCEEDED, ReportStatus::kSucceeded},
      {pb::AttemptReport::FAILED, ReportStatus::kFailed},
      {pb::AttemptReport::STOPPED, ReportStatus::kStopped}};
  for (const auto& [proto, status] : statuses) {
    report.set_status(proto);
    const MemberReport read = FromProto(report, "w1").value();
    EXPECT_EQ(read.status, status);
    EXPECT_EQ(read.worker, "w1");
    EXPECT_EQ(read.end_class, EndClass::kMemory);
    EXPECT_EQ(read.message, "m");
    EXPECT_EQ(read.prepared, std::string(128, 'd')) << "what comes from outside has a bound";
  }
  report.set_status(pb::AttemptReport::STATUS_UNSPECIFIED);
  EXPECT_FALSE(FromProto(report, "w1").ok());
  EXPECT_EQ(CacheUseOf(report), std::nullopt);
  report.mutable_cache()->set_records_hit(4);
  report.mutable_cache()->set_saved_seconds(2.5);
  report.mutable_cache()->set_saved_flops(3.5);
  EXPECT_EQ(CacheUseOf(report)->records_hit, 4);
  EXPECT_EQ(CacheUseOf(report)->saved_seconds, 2.5);
  EXPECT_EQ(CacheUseOf(report)->saved_flops, 3.5);
}

TEST(ConvertList, ChecksStatesAndLimitsPages) {
  pb::ListJobsRequest request;
  EXPECT_EQ(FromProto(request)->page_size, 100);
  request.set_page_size(100'000);
  request.add_states(pb::QUEUED);
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

}  // namespace
}  // namespace fpo::coordinator
