// What happens by itself as time passes, and what must not.
#include <chrono>
#include <functional>
#include <future>
#include <thread>

#include "absl/synchronization/notification.h"
#include "coordinator/core/coordinator.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

class CoordinatorTicksTest : public ::testing::Test {
 protected:
  CoordinatorTicksTest() {
    options_.lease = absl::Seconds(15);
    options_.reattach = absl::ZeroDuration();
    coordinator_ = Coordinator::Open(options_, {&store_, &clock_, &clock_}).value();
  }
  void Beat(const std::string& worker) { coordinator_->Heartbeat(worker, link_.get(), ++beats_); }
  int64_t Expired() { return coordinator_->Collect().counts.lease_expirations["worker"]; }

  CoordinatorOptions options_;
  FakeClock clock_{kStart};
  MemoryJobStore store_;
  std::unique_ptr<Coordinator> coordinator_;
  std::shared_ptr<FakeLink> link_ = std::make_shared<FakeLink>();
  uint64_t beats_ = 0;
};

// The disk of the coordinator stalls for longer than a lease. Beats of that time wait in sockets
// and queues: no worker was silent.
TEST_F(CoordinatorTicksTest, AStalledDiskCostsNoLease) {
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w1"), link_).ok());
  clock_.Advance(absl::Seconds(2));
  Beat("w1");
  store_.OnCheck([&] { clock_.Advance(absl::Seconds(20)); });
  coordinator_->Tick();
  store_.OnCheck(nullptr);
  EXPECT_EQ(Expired(), 0);
  clock_.Advance(absl::Seconds(2));
  coordinator_->Tick();
  EXPECT_EQ(Expired(), 0) << "the beats need a moment to be read";
  Beat("w1");
  clock_.Advance(absl::Seconds(14));
  coordinator_->Tick();
  EXPECT_EQ(Expired(), 0);
  clock_.Advance(absl::Seconds(1));
  coordinator_->Tick();
  EXPECT_EQ(Expired(), 1) << "a worker that stays silent is lost in its time";
}

// Only for what waits for nothing but slots; and a job for which workers may come does not fail.
TEST_F(CoordinatorTicksTest, WorkersAreAskedForAndSaidToBe) {
  ProvisionPool pool;
  pool.name = "cpu";
  pool.max_workers = 4;
  pool.labels = {{"pool", "cpu"}};
  pool.ask_after = absl::ZeroDuration();
  const auto provisioner =
      Provisioner::Open({pool}, {&store_, [] { return std::string("0a1b"); }}).value();
  coordinator_ =
      Coordinator::Open(options_, {&store_, &clock_, &clock_, provisioner.get()}).value();
  const auto submit = [&](const std::string& name, bool held) {
    SubmitRequest request{"r-" + name, ConfigJson(name, 2), "ada"};
    request.hold = held;
    return coordinator_->Submit(request).value().job->job_id;
  };
  submit("held", true);
  coordinator_->Tick();
  EXPECT_FALSE(provisioner->NextOrder("cpu", {clock_.Now(), clock_.Now()}));
  const std::string id = submit("tiny", false);
  coordinator_->Tick();
  const auto order = provisioner->NextOrder("cpu", {clock_.Now(), clock_.Now()});
  ASSERT_TRUE(order.has_value());
  EXPECT_EQ(order->request.workers, 2);
  provisioner->OnAsked("0a1b", std::string("1234"), {clock_.Now(), clock_.Now()});
  clock_.Advance(options_.unsatisfiable_after + absl::Seconds(1));
  coordinator_->Tick();
  const Explanation why = coordinator_->Explain(id).value();
  EXPECT_EQ(why.text,
            "no-worker-fits: asks for 2 slots, no worker has connected yet; asked the command for "
            "2 workers at 2027-01-15T08:00:00Z (pool cpu, request 1234)");
  EXPECT_EQ(why.details.at(0),
            "asked the command for 2 workers of 1 slot 10m1s ago: request 1234 of pool cpu; "
            "queued there");
  for (const char* worker : {"w1", "w2"}) {
    WorkerHello hello = HelloOf(worker);
    hello.labels = {{kRequestLabel, "0a1b"}, {"pool", "cpu"}};
    ASSERT_TRUE(coordinator_->Connect(hello, std::make_shared<FakeLink>()).ok());
  }
  coordinator_->Tick();
  EXPECT_EQ(coordinator_->GetJob(id).value()->state, JobState::kReserved);
  coordinator_->Tick();
  EXPECT_EQ(store_.LoadProvisionRequests().value().at(0).state, ProvisionRequest::State::kServing);
}

// A call holds the lock while its write waits for the disk. If the look before a tick waited for
// it, the tick would begin after the stall, see no wait, and take every worker for lost.
TEST_F(CoordinatorTicksTest, TheLookBeforeATickDoesNotWaitForTheLock) {
  const std::string id = coordinator_->Submit({"r", ConfigJson("tiny"), "ada"}).value().job->job_id;
  absl::Notification holds, looked, release;
  std::thread holder([&] {
    JobWatch watch;
    watch.on_job = [&](const JobPtr&) {
      holds.Notify();
      release.WaitForNotification();
    };
    coordinator_->Unwatch(id, coordinator_->Watch(id, watch).value());
  });
  holds.WaitForNotification();
  bool wanted = false;
  std::thread looker([&] {
    wanted = coordinator_->TakeTickWanted();
    looked.Notify();
  });
  EXPECT_TRUE(looked.WaitForNotificationWithTimeout(absl::Seconds(10)));
  release.Notify();
  holder.join();
  looker.join();
  EXPECT_TRUE(wanted);
}

// A disk that stalls again and again keeps no dead worker alive: only its stalls are added.
TEST_F(CoordinatorTicksTest, ASilentWorkerIsLostInSpiteOfStalls) {
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w1"), link_).ok());
  store_.OnCheck([&] { clock_.Advance(absl::Seconds(1)); });
  int ticks = 0;
  for (; ticks < 100 && Expired() == 0; ++ticks) {
    clock_.Advance(absl::Seconds(1));
    coordinator_->Tick();
  }
  EXPECT_EQ(ticks, 15);
}

// Hours of lines may pass without a change of any job's state. A copy of the store that lacks them
// is an older one: without a newer revision agents would take it, and lines that were acknowledged,
// and deleted by their agents, would be missing without a word.
TEST_F(CoordinatorTicksTest, AcknowledgedLinesRaiseTheRevisionThatAgentsSee) {
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w1"), link_).ok());
  const std::string id = coordinator_->Submit({"r", ConfigJson("tiny"), "ada"}).value().job->job_id;
  coordinator_->Tick();
  const AttemptRef ref = LastAttemptRef(*coordinator_->GetJob(id).value());
  const auto seen = [&] {
    Beat("w1");
    return link_->All<HeartbeatAckCommand>().back().store_revision;
  };
  uint64_t before = seen();
  for (uint64_t seq = 1; seq <= 2; ++seq) {
    ASSERT_TRUE(
        coordinator_->AddLogs("w1", {{ref, seq, {{0, LineStream::kStdout, 5, "hello"}}}}).ok());
    EXPECT_EQ(seen(), before) << "a power cut may still take it";
    coordinator_->Flush();
    EXPECT_GT(seen(), before);
    before = seen();
  }
  ASSERT_TRUE(
      coordinator_->AddEvents("w1", {{ref, 1, {{0, std::nullopt, 5, StepLine(1, 9, 1)}}}}).ok());
  coordinator_->Flush();
  EXPECT_GT(seen(), before) << "the step of a job";
  // The store itself knows: after a restart its own agents do not take it for an older copy.
  WorkerHello again = HelloOf("w1");
  again.store = {store_.LoadIdentity().value().id, seen()};
  const auto restarted = Coordinator::Open(options_, {&store_, &clock_, &clock_}).value();
  EXPECT_TRUE(restarted->Connect(again, std::make_shared<FakeLink>()).ok());
  ++again.store.revision;
  EXPECT_FALSE(restarted->Connect(again, std::make_shared<FakeLink>()).ok());
}

TEST_F(CoordinatorTicksTest, LongTextsOfAgentsAreCutWhenTheyAreTaken) {
  ASSERT_TRUE(coordinator_->Connect(HelloOf("w1"), link_).ok());
  const std::string id = coordinator_->Submit({"r", ConfigJson("tiny"), "ada"}).value().job->job_id;
  coordinator_->Tick();
  const std::string message(60'000, 'x');
  const JobPtr job = coordinator_->GetJob(id).value();
  coordinator_->Report(
      {{LastAttemptRef(*job), ReportStatus::kFailed, EndClass::kInvalid, message}, "w1"});
  const JobPtr failed = coordinator_->GetJob(id).value();
  EXPECT_EQ(failed->state, JobState::kFailed);
  EXPECT_LT(failed->reason.size(), 2200u);
  EXPECT_LE(failed->attempts.back().end_message.size(), 2048u);
  coordinator_->CloseWorker("w1", message);
  EXPECT_EQ(coordinator_->ListWorkers().at(0).mode.note.size(), 2048u);
}

TEST_F(CoordinatorTicksTest, LookingForOldRequestsHoldsUpNoCall) {
  std::promise<void> answered;
  std::thread call;
  bool in_time = false;
  store_.OnForget([&] {
    store_.OnForget(nullptr);
    call = std::thread([&] {
      (void)coordinator_->revision();
      answered.set_value();
    });
    in_time = answered.get_future().wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  });
  coordinator_->Tick();
  ASSERT_TRUE(call.joinable());
  call.join();
  EXPECT_TRUE(in_time);
}

TEST_F(CoordinatorTicksTest, OldRequestsAreForgottenOverSeveralTicks) {
  for (int i = 0; i < 4500; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_TRUE(store_.CreateJob(MakeJob(id), {"r-" + id, "", id, kStart}).ok());
  }
  clock_.Advance(options_.keep_requests + absl::Seconds(1));
  const auto known = [&] {
    int count = 0;
    for (int i = 0; i < 4500; ++i) {
      count += store_.FindRequest("r-" + std::to_string(i)).value().has_value();
    }
    return count;
  };
  for (const int left : {2500, 500, 0}) {
    coordinator_->Tick();
    EXPECT_EQ(known(), left);
  }
}

}  // namespace
}  // namespace fpo::coordinator
