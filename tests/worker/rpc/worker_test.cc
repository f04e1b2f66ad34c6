#include "worker/rpc/worker.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/job/job_file.h"
#include "common/rpc/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_folder.h"
#include "tests/worker/rpc/fake_worker_control.h"

namespace fpo::worker {
namespace {

namespace pb = fpo::v1;
using fpo::testing::FakeWorkerControl;
using ::testing::HasSubstr;

class WorkerTest : public ::testing::Test {
 protected:
  WorkerTest() {
    RpcServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {{pb::WorkerControl::service_full_name(), &coordinator_}};
    server_ = *RpcServer::Start(std::move(options));
    std::filesystem::create_directories(folder_ / "model");
    fpo::testing::WriteWhole(folder_ / "train.jsonl", "{}\n");
    config_.listen.http = "127.0.0.1:0";
    config_.listen.port_file = folder_ / "ports.json";
    config_.coordinator = server_->address();
    config_.cache = "127.0.0.1:1";
    config_.name = "w1";
    config_.work_dir = folder_ / "work";
    config_.trainer = FPO_FAKE_TRAINER;
    config_.device = "cpu";
    config_.grace = absl::Seconds(10);
    config_.disk_reserve_mib = 0;
  }
  std::string JobJson(const std::string& behaviour) {
    JobConfig job;
    job.name = "job";
    job.model.path = folder_ / "model";
    job.data.train = {folder_ / "train.jsonl"};
    job.method.name = "sft";
    job.reference.source = "none";
    job.output = folder_ / "out";
    if (!behaviour.empty()) job.labels.emplace_back("run", behaviour);
    return WriteJobJson(job);
  }
  // A session that assigns one job, answers everything and keeps the reports. `started` is notified
  // by the first event of the trainer, `ended` by the final report.
  void PlayJob(const std::string& behaviour) {
    coordinator_.Play([this, behaviour](FakeWorkerControl::Stream* stream) {
      fpo::testing::Welcome(stream);
      pb::CoordinatorMessage assign;
      assign.mutable_assign()->mutable_attempt()->set_job_id("job-1");
      assign.mutable_assign()->mutable_attempt()->set_epoch(1);
      assign.mutable_assign()->set_config_json(JobJson(behaviour));
      assign.mutable_assign()->set_slots(1);
      assign.mutable_assign()->set_world_size(1);
      stream->Write(assign);
      for (pb::WorkerMessage message; stream->Read(&message);) {
        fpo::testing::Answer(stream, message);
        const bool waits =
            message.has_events() && message.DebugString().find("waiting") != std::string::npos;
        if (waits && !started_.HasBeenNotified()) started_.Notify();
        if (!message.has_report()) continue;
        last_report_ = message.report();
        if (message.report().status() >= pb::AttemptReport::STATUS_SUCCEEDED &&
            !ended_.HasBeenNotified()) {
          ended_.Notify();
        }
      }
    });
  }
  std::unique_ptr<Worker> Start() {
    auto worker = Worker::Start(config_, {"1", "commit"});
    EXPECT_TRUE(worker.ok()) << worker.status();
    return *std::move(worker);
  }

  fpo::testing::TempFolder folder_;
  FakeWorkerControl coordinator_;
  std::unique_ptr<RpcServer> server_;
  WorkerConfig config_;
  pb::AttemptReport last_report_;
  absl::Notification started_;
  absl::Notification ended_;
};

TEST_F(WorkerTest, RunsAJobForTheCoordinator) {
  PlayJob("");
  const auto worker = Start();
  ASSERT_TRUE(ended_.WaitForNotificationWithTimeout(absl::Seconds(60)));
  EXPECT_EQ(last_report_.status(), pb::AttemptReport::STATUS_SUCCEEDED)
      << last_report_.DebugString();
  EXPECT_TRUE(std::filesystem::exists(folder_ / "out/run.json"));
  EXPECT_THAT(fpo::testing::ReadWhole(folder_ / "ports.json"), HasSubstr("\"http\""));
}

TEST_F(WorkerTest, DrainsRunningWork) {
  PlayJob("hang");
  const auto worker = Start();
  ASSERT_TRUE(started_.WaitForNotificationWithTimeout(absl::Seconds(60)));
  const absl::Time start = absl::Now();
  worker->Drain();
  EXPECT_LT(absl::Now() - start, absl::Seconds(8))
      << "it waits for confirmation, not for the grace";
  ASSERT_TRUE(ended_.HasBeenNotified());
  EXPECT_EQ(last_report_.status(), pb::AttemptReport::STATUS_FAILED);
  EXPECT_EQ(last_report_.end_class(), pb::END_CLASS_ASKED)
      << "the job continues elsewhere, uncounted";
}

TEST_F(WorkerTest, ADeviceThatIsAskedForAndNotThereIsRefusedAtStart) {
  fpo::testing::WriteWhole(folder_ / "devices", "exit-10 device cuda: no NVIDIA driver");
  config_.device = "cuda";
  config_.environment = {"FPO_FAKE_DEVICES=" + folder_ / "devices"};
  const auto worker = Worker::Start(config_, {"1", "commit"});
  EXPECT_EQ(worker.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(worker.status().message()), HasSubstr("no NVIDIA driver"));
}

TEST_F(WorkerTest, ARefusalIsToldToItsOwner) {
  coordinator_.Refuse(
      WithErrorInfo(absl::AlreadyExistsError("taken"), {.reason = ErrorReason::kWorkerNameTaken}));
  absl::Notification refused;
  auto worker = Worker::Start(config_, {"1", "commit"}, [&] { refused.Notify(); });
  ASSERT_TRUE(worker.ok()) << worker.status();
  ASSERT_TRUE(refused.WaitForNotificationWithTimeout(absl::Seconds(20)));
  EXPECT_TRUE(absl::IsAlreadyExists((*worker)->refusal()));
  (*worker)->Drain();
}

TEST_F(WorkerTest, TwoWorkersCannotShareAFolder) {
  const auto worker = Start();
  const auto second = Worker::Start(config_, {"1", "commit"});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--work-dir"));
}

TEST_F(WorkerTest, ATakenAddressIsNamed) {
  config_.listen.http = server_->address();
  const auto worker = Worker::Start(config_, {"1", "commit"});
  EXPECT_EQ(worker.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(worker.status().message()), HasSubstr(server_->address()));
}

}  // namespace
}  // namespace fpo::worker
