#include "coordinator/core/backup/store_restore.h"

#include "coordinator/core/coordinator.h"
#include "coordinator/core/store/rocksdb_job_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/coordinator/core/temp_dir.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A coordinator whose store is backed up, goes on, is lost and is restored from the backup.
class StoreRestoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Start(dir_.path() + "/data"); }
  void Start(const std::string& path) {
    coordinator_.reset();
    store_.reset();
    store_ = RocksdbJobStore::Open(path).value();
    coordinator_ = Coordinator::Open(options_, {store_.get(), &clock_, &clock_}).value();
  }
  void BackUp() {
    StoreBackups backups({.folder = dir_.path() + "/backups"}, store_.get());
    backup_ = backups.Make(clock_.Now()).value().path;
  }
  RestoreReport LoseAndRestore() {
    coordinator_.reset();
    store_.reset();
    const RestoreReport report =
        RestoreJobStore(backup_, dir_.path() + "/new", clock_.Now()).value();
    Start(dir_.path() + "/new");
    return report;
  }
  std::string Submit(const std::string& name) {
    return coordinator_->Submit({"r-" + name, ConfigJson(name), "ada"}).value().job->job_id;
  }
  std::shared_ptr<FakeLink> Connect(const std::string& worker, std::vector<AttemptRef> running = {},
                                    const StoreMark& mark = {}) {
    auto link = std::make_shared<FakeLink>();
    WorkerHello hello = HelloOf(worker, 1, std::move(running));
    hello.store = mark;
    EXPECT_TRUE(coordinator_->Connect(hello, link).ok());
    return link;
  }
  // The attempt that the next pass of the scheduler gives to the worker.
  AttemptRef Assigned(FakeLink* link) {
    coordinator_->Tick();
    const auto assigns = link->All<AssignCommand>();
    EXPECT_FALSE(assigns.empty());
    return assigns.empty() ? AttemptRef() : assigns.back().attempt;
  }
  void Report(const AttemptRef& ref, const std::string& worker, ReportStatus status) {
    coordinator_->Report({{ref, status}, worker});
  }
  absl::Status AddLine(const AttemptRef& ref, const std::string& worker, const std::string& text) {
    LogBatch batch{{ref, 1}};
    batch.lines.push_back({0, LineStream::kStdout, 5, text});
    return coordinator_->AddLogs(worker, batch);
  }
  absl::Status AddEvent(const AttemptRef& ref, const std::string& worker, const std::string& text) {
    EventBatch batch{{ref, 1}};
    batch.lines.push_back({.rank = 0, .text = text});
    return coordinator_->AddEvents(worker, batch);
  }
  JobPtr Get(const std::string& id) { return coordinator_->GetJob(id).value(); }

  TempDir dir_;
  CoordinatorOptions options_;
  FakeClock clock_{kStart};
  std::unique_ptr<RocksdbJobStore> store_;
  std::unique_ptr<Coordinator> coordinator_;
  std::string backup_;
};

// A9: the lost time gave the job attempt 1 at worker w1; the restored store knows it as queued.
TEST_F(StoreRestoreTest, AZombieOfTheLostTimeIsKilledAndNothingOfItCounts) {
  const std::string job = Submit("train");
  BackUp();
  const auto before = Connect("w1");
  const AttemptRef zombie = Assigned(before.get());
  Report(zombie, "w1", ReportStatus::kRunning);
  const StoreMark seen = before->All<WelcomeCommand>().at(0).store;
  LoseAndRestore();
  const auto link = Connect("w1", {zombie}, {seen.id, 1000});
  EXPECT_THAT(link->All<WelcomeCommand>().at(0).kill, ElementsAre(zombie));
  const auto other = Connect("w2");
  coordinator_->Tick();
  EXPECT_THAT(other->All<AssignCommand>(), IsEmpty()) << "agents are still awaited";
  clock_.Advance(options_.reattach);
  coordinator_->Heartbeat("w2", other.get(), 1);
  const AttemptRef next = Assigned(other.get());
  EXPECT_EQ(next.attempt, zombie.attempt);
  EXPECT_GT(next.epoch, kBeyondTheSeen);
  // The same job and attempt number; the zombie's lines are nobody's.
  EXPECT_TRUE(AddLine(zombie, "w1", "zombie").ok());
  EXPECT_TRUE(AddLine(zombie, "w2", "zombie").ok());
  EXPECT_TRUE(AddEvent(zombie, "w1", CheckpointLine(50)).ok());
  EXPECT_TRUE(AddLine(next, "w1", "of a worker that is no member").ok());
  EXPECT_TRUE(AddEvent(next, "w1", CheckpointLine(60)).ok());
  EXPECT_TRUE(AddLine(next, "w2", "mine").ok());
  Report(zombie, "w1", ReportStatus::kSucceeded);
  EXPECT_EQ(Get(job)->state, JobState::kReserved);
  EXPECT_THAT(Get(job)->checkpoints, IsEmpty());
  const auto lines = coordinator_->ReadLogs(job, {}).value().lines;
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].text, "mine");
  EXPECT_EQ(coordinator_->Collect().counts.fencing_rejections.at("lines"), 5);
}

TEST_F(StoreRestoreTest, AnAttemptThatTheBackupKnowsIsReplacedOnceItsProcessesAreGone) {
  const std::string job = Submit("train");
  const auto before = Connect("w1");
  const AttemptRef ref = Assigned(before.get());
  Report(ref, "w1", ReportStatus::kRunning);
  ASSERT_TRUE(AddEvent(ref, "w1", CheckpointLine(10)).ok());
  BackUp();
  ASSERT_TRUE(AddEvent(ref, "w1", CheckpointLine(20)).ok());
  const RestoreReport report = LoseAndRestore();
  EXPECT_THAT(report.fenced_jobs, ElementsAre(job));
  EXPECT_EQ(Get(job)->state, JobState::kRecovering);
  clock_.Advance(options_.reattach);
  const auto link = Connect("w1", {ref});
  EXPECT_THAT(link->All<WelcomeCommand>().at(0).kill, ElementsAre(ref));
  coordinator_->Tick();
  EXPECT_EQ(Get(job)->state, JobState::kRecovering) << "its processes may still be there";
  Report(ref, "w1", ReportStatus::kStopped);
  const AttemptRef next = Assigned(link.get());
  EXPECT_EQ(Get(job)->restarts_used, 0);
  EXPECT_EQ(next.attempt, ref.attempt + 1);
  EXPECT_EQ(Get(job)->checkpoint_step, 10) << "what the backup knows";
}

TEST_F(StoreRestoreTest, AJobOfTheLostTimeIsUnknownAndItsProcessesAreKilled) {
  BackUp();
  const std::string job = Submit("late");
  const auto before = Connect("w1");
  const AttemptRef ref = Assigned(before.get());
  LoseAndRestore();
  const auto link = Connect("w1", {ref});
  EXPECT_THAT(link->All<WelcomeCommand>().at(0).kill, ElementsAre(ref));
  EXPECT_FALSE(coordinator_->GetJob(job).ok());
  EXPECT_TRUE(AddLine(ref, "w1", "x").ok());
  // A client that asks again for the lost submit gets a new job: its request is lost too.
  EXPECT_NE(Submit("late"), "");
}

TEST_F(StoreRestoreTest, EveryStateIsRestoredToOneThatEnds) {
  for (const JobState state :
       {JobState::kReserved, JobState::kStarting, JobState::kRunning, JobState::kRecovering,
        JobState::kPausing, JobState::kPreempting, JobState::kCancelling}) {
    Job job = RunningJob("j-" + std::string(Name(state)));
    job.state = state;
    job.state_since = kStart;
    ASSERT_TRUE(store_->CreateJob(job, {"r-" + job.job_id, "d", job.job_id, kStart}).ok());
  }
  BackUp();
  LoseAndRestore();
  clock_.Advance(absl::Hours(1));
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(absl::Minutes(2));
    coordinator_->Tick();
  }
  for (const JobPtr& job : coordinator_->ListJobs({}).jobs) {
    EXPECT_TRUE(job->state == JobState::kQueued || job->state == JobState::kPaused ||
                job->state == JobState::kCancelled)
        << job->job_id << " is " << Name(job->state);
  }
}

}  // namespace
}  // namespace fpo::coordinator
