#include "server/rpc/convert.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/server/core/fixtures.h"

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
  job = After(job, {ReportOf(job, "w1", ReportStatus::kFailed, "invalid", "boom")});
  job.kind = "train";
  job.method = "fpo";
  job.restarts_used = 2;
  job.checkpoint_step = 3;
  job.progress = {"train", 1, 2, "steps", 3, 4, {{"loss", 0.5}}, {1, 2, 3, "aa", "bb", 1.5},
                  kStart};
  job.result = {{"eval_loss", 0.25}};
  job.revision = 9;
  return job;
}

TEST(ConvertJob, FillsEveryField) {
  const pb::Job proto = ToProto(FullJob());
  EXPECT_EQ(Unset(proto), std::vector<std::string>{}) << proto.DebugString();
  EXPECT_EQ(proto.state(), pb::FAILED);
  EXPECT_EQ(proto.attempts(0).workers(0), "w1");
  EXPECT_EQ(proto.submitted().seconds(), absl::ToUnixSeconds(kStart));
  EXPECT_EQ(proto.progress().cache().reference_seconds(), 1.5);
  EXPECT_EQ(proto.result().at("eval_loss"), 0.25);
}

TEST(ConvertJob, EveryStateHasItsName) {
  for (int i = 0; i < kJobStates; ++i) {
    Job job = MakeJob("j-1");
    job.state = static_cast<JobState>(i);
    EXPECT_EQ(pb::JobState_Name(ToProto(job).state()), JobStateName(job.state));
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
  const pb::LogLine log = ToProto(LogLine{7, 2, 3, "stderr", 1500, "text"});
  EXPECT_EQ(Unset(log), std::vector<std::string>{});
  EXPECT_EQ(log.time().nanos(), 500'000'000);
  EXPECT_EQ(Unset(ToProto(EventLine{7, 2, 3, "{}"})), std::vector<std::string>{});
}

TEST(ConvertLines, TimesBeforeTheEpochAreWellFormed) {
  EXPECT_EQ(ToProto(LogLine{1, 1, 1, "s", -500, "t"}).time().seconds(), -1);
  EXPECT_EQ(ToProto(LogLine{1, 1, 1, "s", -500, "t"}).time().nanos(), 500'000'000);
}

TEST(ConvertWorker, FillsEveryField) {
  WorkerView view;
  view.hello = HelloOf("w1", 4);
  view.connected = true;
  view.slots_used = 2;
  view.last_beat = kStart;
  view.jobs = {"j-1"};
  const pb::Worker proto = ToProto(view);
  EXPECT_EQ(Unset(proto), std::vector<std::string>{});
  EXPECT_EQ(proto.state(), "ready");
  view.connected = false;
  EXPECT_EQ(ToProto(view).state(), "lost");
}

TEST(ConvertCommands, FillEveryField) {
  const AttemptRef ref = {"j-1", 2, 3};
  const std::vector<WorkerCommand> commands = {
      WelcomeCommand{{ref}, {ref}, absl::Seconds(2), absl::Seconds(15)}, BeatAckCommand{5},
      AssignCommand{ref, "{}", 2, 4, 8, true, "host:29500"},
      StopCommand{ref, absl::Seconds(30), "why"}, AckCommand{ref, 6, 7}};
  for (const WorkerCommand& command : commands) {
    const pb::CoordinatorMessage proto = ToProto(command);
    EXPECT_EQ(Unset(proto), std::vector<std::string>{}) << proto.DebugString();
  }
  EXPECT_EQ(ToProto(commands[0]).welcome().lease_ms(), 15000);
  EXPECT_EQ(ToProto(commands[3]).stop().grace_ms(), 30000);
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
  *hello.add_running() = ToProto(AttemptRef{"j-1", 1, 2});
  const WorkerHello read = FromProto(hello);
  EXPECT_EQ(read.worker_id, "w1");
  EXPECT_EQ(read.instance_id, "i");
  EXPECT_EQ(read.host, "h");
  EXPECT_EQ(read.version, "v");
  EXPECT_EQ(read.slots, 3);
  EXPECT_EQ(read.device, "cuda");
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
  EXPECT_EQ(batch.ref, (AttemptRef{"j-1", 1, 2}));
  EXPECT_EQ(batch.first_seq, 9u);
  EXPECT_EQ(batch.items.at(0).stream, "agent");
  EXPECT_EQ(batch.items.at(0).time_unix_ms, 5);
}

TEST(ConvertFromWorker, EveryReportStatusHasItsMeaning) {
  pb::AttemptReport report;
  *report.mutable_attempt() = ToProto(AttemptRef{"j-1", 1, 2});
  report.set_end_class("memory");
  report.set_message("m");
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
    EXPECT_EQ(read.end_class, "memory");
    EXPECT_EQ(read.message, "m");
  }
  report.set_status(pb::AttemptReport::STATUS_UNSPECIFIED);
  EXPECT_FALSE(FromProto(report, "w1").ok());
  EXPECT_EQ(CacheUseOf(report), std::nullopt);
  report.mutable_cache()->set_records_hit(4);
  EXPECT_EQ(CacheUseOf(report)->records_hit, 4);
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
