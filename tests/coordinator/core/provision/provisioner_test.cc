#include "coordinator/core/provision/provisioner.h"

#include <deque>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"
#include "tests/support/memory_job_store.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using OrderKind = ProvisionOrder::Kind;

// An engine that does what it is told, and what it was asked for.
class FakeEngine {
 public:
  absl::StatusOr<std::string> Ask(const ProvisionRequest& request) {
    ++calls;
    if (!refusal.ok()) return refusal;
    allocations.try_emplace(request.id, Allocation{request.workers, AllocationState::kQueued});
    return "ref-" + request.id;
  }
  AllocationState Look(const ProvisionRequest& request) const {
    const auto found = allocations.find(request.id);
    return found == allocations.end() ? AllocationState::kGone : found->second.state;
  }
  struct Allocation {
    int32_t workers;
    AllocationState state;
  };
  std::map<std::string, Allocation> allocations;
  absl::Status refusal;
  int calls = 0;
};

class ProvisionerTest : public ::testing::Test {
 protected:
  ProvisionerTest() {
    ProvisionPool pool;
    pool.name = "gpu";
    pool.engine = EngineKind::kSlurm;
    pool.device = DeviceKind::kCuda;
    pool.slots_per_worker = 4;
    pool.max_workers = 6;
    pool.labels = {{"pool", "gpu"}, {"gpu", "h100"}};
    pool.ask_after = absl::ZeroDuration();
    pool.look_every = absl::Seconds(15);
    pools_ = {pool};
  }
  void Open() {
    const Provisioner::Dependencies dependencies{&store_,
                                                 [this] { return "r" + std::to_string(++ids_); }};
    provisioner_ = Provisioner::Open(pools_, dependencies).value();
  }
  Moment Now() const { return {wall_, clock_.Now()}; }
  void Pass(absl::Duration time) {
    clock_.Advance(time);
    wall_ += time;
  }
  // A pass of the scheduler, then all that the engine is to do.
  std::map<std::string, std::string> Turn() {
    if (!provisioner_) Open();
    std::vector<const Job*> waiting;
    for (const Job& job : waiting_) waiting.push_back(&job);
    auto notes = provisioner_->Tick(waiting, offers_, Now());
    for (const ProvisionPool& pool : pools_) {
      for (int i = 0; i < 100; ++i) {
        const auto order = provisioner_->NextOrder(pool.name, Now());
        if (!order) break;
        CarryOut(*order);
      }
    }
    return notes;
  }
  void CarryOut(const ProvisionOrder& order) {
    const std::string& id = order.request.id;
    switch (order.kind) {
      case OrderKind::kAsk:
        return provisioner_->OnAsked(id, engine_.Ask(order.request), Now());
      case OrderKind::kLook:
        return provisioner_->OnLooked(id, engine_.Look(order.request), Now());
      case OrderKind::kCallOff:
        called_off_.push_back(id);
        engine_.allocations.erase(id);
        return provisioner_->OnCalledOff(id, absl::OkStatus(), Now());
    }
  }
  void Arrive(const std::string& request, int32_t workers, int32_t free = 4) {
    engine_.allocations.at(request).state = AllocationState::kRunning;
    for (int32_t i = 0; i < workers; ++i) {
      SlotOffer offer = Offer(request + "-" + std::to_string(i), 4, free, DeviceKind::kCuda);
      offer.labels = pools_[0].labels;
      offer.labels[kRequestLabel] = request;
      offers_.push_back(offer);
    }
  }
  std::vector<ProvisionRequest> Stored() { return store_.LoadProvisionRequests().value(); }

  std::vector<ProvisionPool> pools_;
  std::deque<Job> waiting_;
  std::vector<SlotOffer> offers_;
  MemoryJobStore store_;
  FakeClock clock_{kStart};
  absl::Time wall_ = kStart;
  FakeEngine engine_;
  std::vector<std::string> called_off_;
  int ids_ = 0;
  std::unique_ptr<Provisioner> provisioner_;
};

TEST_F(ProvisionerTest, AsksForAWholeGangInOneAllocation) {
  waiting_ = {MakeJob("j-1", 7)};
  const auto notes = Turn();
  ASSERT_EQ(engine_.allocations.size(), 1u);
  EXPECT_EQ(engine_.allocations.at("r1").workers, 2) << "of 4 slots";
  EXPECT_EQ(notes.at("j-1"),
            "asked Slurm for 2 workers at 2027-01-15T08:00:00Z (pool gpu, request r1, not taken "
            "yet)");
  Pass(absl::Seconds(40));
  EXPECT_THAT(Turn().at("j-1"), HasSubstr("(pool gpu, request ref-r1)"));
  EXPECT_THAT(provisioner_->Describe("j-1", wall_),
              ElementsAre("asked Slurm for 2 workers of 4 slots 40s ago: request ref-r1 of pool "
                          "gpu; queued there"));
}

TEST_F(ProvisionerTest, AsksOnceWhileARequestIsOnItsWay) {
  waiting_ = {MakeJob("j-1", 8)};
  for (int i = 0; i < 50; ++i) {
    Turn();
    Pass(absl::Seconds(10));
  }
  EXPECT_EQ(engine_.calls, 1);
  EXPECT_EQ(Stored().size(), 1u);
}

TEST_F(ProvisionerTest, JobsShareWhatIsFreeAndWhatIsOnItsWay) {
  waiting_ = {MakeJob("j-1", 3), MakeJob("j-2", 1), MakeJob("j-3", 2), MakeJob("j-4", 1)};
  offers_ = {Offer("w1", 1, 1, DeviceKind::kCuda)};
  Turn();
  // j-1 and j-2 fill one worker or the free slot, j-3 needs another, where j-4 fits too.
  ASSERT_EQ(engine_.allocations.size(), 2u);
  EXPECT_EQ(engine_.allocations.at("r1").workers, 1);
  EXPECT_EQ(engine_.allocations.at("r2").workers, 1);
  Turn();
  EXPECT_EQ(engine_.calls, 2);
}

TEST_F(ProvisionerTest, WaitsAMomentForSlotsToBeFreed) {
  pools_[0].ask_after = absl::Seconds(30);
  waiting_ = {MakeJob("j-1", 4)};
  EXPECT_EQ(Turn().at("j-1"), "asks pool gpu for 1 worker at 2027-01-15T08:00:30Z");
  Pass(absl::Seconds(29));
  offers_ = {Offer("w1", 4, 4, DeviceKind::kCuda)};
  Turn();
  offers_.clear();
  Turn();  // it begins anew
  Pass(absl::Seconds(29));
  Turn();
  EXPECT_EQ(engine_.calls, 0);
  Pass(absl::Seconds(1));
  Turn();
  EXPECT_EQ(engine_.calls, 1);
}

TEST_F(ProvisionerTest, StaysWithinThePoolsWorkers) {
  waiting_ = {MakeJob("j-1", 16), MakeJob("j-2", 12), MakeJob("j-3", 8), MakeJob("j-4", 28)};
  const auto notes = Turn();
  EXPECT_EQ(engine_.allocations.size(), 2u) << "4 and 2 of 6";
  EXPECT_EQ(notes.at("j-2"), "pool gpu has 4 of 6 workers in use, the job needs 3");
  EXPECT_EQ(notes.at("j-4"), "no pool may hold 28 slots");
  EXPECT_FALSE(provisioner_->MayHold(waiting_[3]));
  EXPECT_TRUE(provisioner_->MayHold(waiting_[0]));
}

TEST_F(ProvisionerTest, StaysWithinAnOwnersWorkers) {
  pools_[0].max_workers_per_owner = 2;
  waiting_ = {MakeJob("j-1", 8), MakeJob("j-2", 4), MakeJob("j-3", 4)};
  waiting_[2].owner = "eve";
  const auto notes = Turn();
  EXPECT_EQ(notes.at("j-2"), "pool gpu has 2 of 2 workers in use for ada, the job needs 1");
  EXPECT_EQ(engine_.allocations.size(), 2u);
}

TEST_F(ProvisionerTest, TakesThePoolThatHasTheLabels) {
  ProvisionPool cpu;
  cpu.name = "cpu";
  cpu.slots_per_worker = 2;
  cpu.max_workers = 1;
  cpu.ask_after = absl::ZeroDuration();
  cpu.labels = {{"pool", "cpu"}};
  pools_.insert(pools_.begin(), cpu);
  waiting_ = {MakeJob("j-1", 1), MakeJob("j-2", 4), MakeJob("j-3", 1)};
  waiting_[0].demand.require = {{"gpu", "h100"}};
  waiting_[2].demand.require = {{"gpu", "a100"}};
  const auto notes = Turn();
  EXPECT_THAT(notes.at("j-1"), HasSubstr("pool gpu"));
  EXPECT_THAT(notes.at("j-2"), HasSubstr("pool gpu")) << "too wide for the other one";
  EXPECT_EQ(notes.at("j-3"), "no pool may hold 1 slot with its labels");
}

TEST_F(ProvisionerTest, ServesAndIsOverWhenItsWorkersAreGone) {
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  Arrive("r1", 2, /*free=*/0);
  waiting_.clear();
  Turn();
  EXPECT_EQ(Stored().at(0).state, ProvisionRequest::State::kServing);
  EXPECT_EQ(provisioner_->Counts().at("gpu").workers_here, 2);
  waiting_ = {MakeJob("j-2", 8)};
  Turn();
  EXPECT_EQ(engine_.calls, 2) << "the workers of r1 are busy";
  waiting_.clear();
  offers_.clear();  // idle, they left
  engine_.allocations.erase("r1");
  engine_.allocations.at("r2").state = AllocationState::kRunning;
  Pass(absl::Minutes(1));
  Turn();
  for (const ProvisionRequest& request : Stored()) EXPECT_NE(request.id, "r1");
  EXPECT_TRUE(called_off_.empty() || called_off_ == std::vector<std::string>{"r2"});
}

TEST_F(ProvisionerTest, ARestartAsksForNothingTwice) {
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  Open();
  for (int i = 0; i < 5; ++i) {
    Turn();
    Pass(absl::Seconds(20));
  }
  EXPECT_EQ(engine_.calls, 1);
  EXPECT_EQ(ids_, 1);
}

TEST_F(ProvisionerTest, ARestartBeforeTheAnswerAsksForTheSameRequest) {
  waiting_ = {MakeJob("j-1", 8)};
  std::vector<const Job*> jobs = {&waiting_[0]};
  Open();
  provisioner_->Tick(jobs, {}, Now());
  const auto order = provisioner_->NextOrder("gpu", Now());
  ASSERT_TRUE(order && order->kind == OrderKind::kAsk);
  ASSERT_TRUE(engine_.Ask(order->request).ok());  // and the coordinator dies here
  Open();
  EXPECT_FALSE(provisioner_->NextOrder("gpu", Now())) << "not before it is known to be needed";
  Turn();
  EXPECT_EQ(engine_.allocations.size(), 1u);
  EXPECT_EQ(ids_, 1);
  EXPECT_EQ(Stored().at(0).reference, "ref-r1");
}

TEST_F(ProvisionerTest, ARequestNobodyNeedsAfterARestartIsNotAsked) {
  waiting_ = {MakeJob("j-1", 8)};
  std::vector<const Job*> jobs = {&waiting_[0]};
  Open();
  provisioner_->Tick(jobs, {}, Now());
  Open();
  waiting_.clear();
  Turn();
  Turn();
  EXPECT_EQ(engine_.calls, 0);
  EXPECT_TRUE(Stored().empty());
}

TEST_F(ProvisionerTest, CallsOffWhatACancelledJobNeedsNoMore) {
  pools_[0].ask_after = absl::Seconds(30);
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  Pass(absl::Seconds(30));
  Turn();
  ASSERT_EQ(engine_.calls, 1);
  waiting_.clear();
  Turn();
  EXPECT_TRUE(called_off_.empty()) << "it may be wanted again in a moment";
  Pass(absl::Seconds(30));
  Turn();
  EXPECT_THAT(called_off_, ElementsAre("r1"));
  Turn();
  EXPECT_TRUE(Stored().empty());
  EXPECT_TRUE(engine_.allocations.empty());
}

TEST_F(ProvisionerTest, AnotherJobKeepsWhatACancelledOneAskedFor) {
  waiting_ = {MakeJob("j-1", 8), MakeJob("j-2", 8)};
  waiting_.pop_back();
  Turn();
  waiting_ = {MakeJob("j-2", 8)};
  for (int i = 0; i < 5; ++i) {
    Turn();
    Pass(absl::Minutes(1));
  }
  EXPECT_EQ(engine_.calls, 1);
  EXPECT_TRUE(called_off_.empty());
}

TEST_F(ProvisionerTest, CallsNothingOffOfWhichAWorkerCame) {
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  Arrive("r1", 1);
  waiting_.clear();
  Turn();
  Pass(absl::Minutes(5));
  Turn();
  EXPECT_TRUE(called_off_.empty());
}

TEST_F(ProvisionerTest, AfterARefusalItWaitsLongerAndLonger) {
  engine_.refusal = absl::FailedPreconditionError("sbatch ended with 1: Invalid account");
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  EXPECT_EQ(engine_.calls, 1);
  EXPECT_TRUE(Stored().empty());
  EXPECT_EQ(Turn().at("j-1"),
            "pool gpu is asked again at 2027-01-15T08:00:30Z: sbatch ended with 1: Invalid "
            "account");
  Pass(absl::Seconds(29));
  Turn();
  EXPECT_EQ(engine_.calls, 1);
  Pass(absl::Seconds(1));
  Turn();
  EXPECT_EQ(engine_.calls, 2);
  Pass(absl::Seconds(59));
  Turn();
  EXPECT_EQ(engine_.calls, 2);
  engine_.refusal = absl::OkStatus();
  Pass(absl::Seconds(1));
  Turn();
  EXPECT_EQ(engine_.calls, 3);
  EXPECT_THAT(Turn().at("j-1"), HasSubstr("attempt 3"));
  for (int i = 0; i < 20; ++i) {  // never more than half an hour
    engine_.refusal = absl::FailedPreconditionError("no");
    engine_.allocations.clear();
    Pass(absl::Minutes(31));
    Turn();
  }
  EXPECT_GE(engine_.calls, 12);
}

TEST_F(ProvisionerTest, AFailureOfOneSizeDoesNotHoldUpAnother) {
  engine_.refusal = absl::FailedPreconditionError("too many nodes");
  waiting_ = {MakeJob("j-1", 24)};
  Turn();
  engine_.refusal = absl::OkStatus();
  waiting_ = {MakeJob("j-1", 24), MakeJob("j-2", 4)};
  Turn();
  EXPECT_EQ(engine_.allocations.size(), 1u);
}

TEST_F(ProvisionerTest, WhatMayHaveBeenTakenIsAskedAgainUnderItsName) {
  engine_.refusal = absl::DeadlineExceededError("sbatch did not end within 30s");
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  EXPECT_EQ(Stored().size(), 1u);
  engine_.refusal = absl::OkStatus();
  Turn();
  EXPECT_EQ(engine_.calls, 1) << "after a pause";
  Pass(absl::Seconds(30));
  Turn();
  EXPECT_EQ(engine_.calls, 2);
  EXPECT_EQ(ids_, 1);
  EXPECT_EQ(Stored().at(0).state, ProvisionRequest::State::kAsked);
}

TEST_F(ProvisionerTest, WorkersThatNeverComeAreCalledOffAndAskedForAgain) {
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  engine_.allocations.at("r1").state = AllocationState::kRunning;
  Pass(absl::Seconds(15));
  Turn();  // sees that it runs
  Pass(absl::Minutes(15) - absl::Seconds(1));
  Turn();
  EXPECT_TRUE(called_off_.empty());
  Pass(absl::Seconds(1));
  Turn();
  EXPECT_THAT(called_off_, ElementsAre("r1"));
  Pass(absl::Seconds(30));
  Turn();
  Turn();
  EXPECT_EQ(engine_.allocations.count("r2"), 1u);
  EXPECT_THAT(Turn().at("j-1"), HasSubstr("request ref-r2, attempt 2"));
}

TEST_F(ProvisionerTest, AQueueMayBeLong) {
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  Pass(absl::Hours(24) - absl::Seconds(1));
  Turn();
  EXPECT_TRUE(called_off_.empty());
  Pass(absl::Seconds(1));
  Turn();
  EXPECT_THAT(called_off_, ElementsAre("r1"));
}

TEST_F(ProvisionerTest, OfAGangThatCameInPartTheRestIsNotWaitedForLonger) {
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  Arrive("r1", 1);
  Pass(absl::Seconds(15));
  Turn();
  Pass(absl::Minutes(15));
  Turn();
  EXPECT_TRUE(called_off_.empty()) << "one is at work, perhaps";
  EXPECT_EQ(Stored().at(0).state, ProvisionRequest::State::kServing);
  Pass(absl::Seconds(30));
  Turn();
  EXPECT_EQ(engine_.allocations.at("r2").workers, 2) << "the whole gang again";
}

TEST_F(ProvisionerTest, AnAllocationThatEndsBeforeAWorkerCameIsAFailure) {
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  engine_.allocations.clear();
  Pass(absl::Seconds(15));
  Turn();
  EXPECT_EQ(provisioner_->Counts().at("gpu").requests.at("failed"), 1);
  EXPECT_THAT(Turn().at("j-1"), HasSubstr("it ended before a worker came"));
}

TEST_F(ProvisionerTest, WithoutADiskNothingIsAskedFor) {
  waiting_ = {MakeJob("j-1", 8)};
  store_.FailWrites(absl::ResourceExhaustedError("disk full"));
  EXPECT_EQ(Turn().at("j-1"), "the request for workers cannot be stored");
  EXPECT_EQ(engine_.calls, 0);
  store_.FailWrites(absl::OkStatus());
  Turn();
  EXPECT_EQ(engine_.calls, 1);
}

TEST_F(ProvisionerTest, TheWallClockMayBeSetBack) {
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  wall_ -= absl::Hours(48);
  Open();
  Turn();
  Pass(absl::Hours(23));
  Turn();
  EXPECT_TRUE(called_off_.empty());
  EXPECT_EQ(engine_.calls, 1);
}

TEST_F(ProvisionerTest, RequestsOfAPoolThatIsGoneAreDropped) {
  waiting_ = {MakeJob("j-1", 8)};
  Turn();
  pools_[0].name = "other";
  Open();
  EXPECT_TRUE(Stored().empty());
}

TEST_F(ProvisionerTest, ManyJobsAreAskedForFewAtATime) {
  pools_[0].max_workers = 100;
  for (int i = 0; i < 40; ++i) waiting_.push_back(MakeJob("j-" + std::to_string(100 + i), 4));
  Turn();
  EXPECT_EQ(engine_.calls, 8);
  for (int i = 0; i < 10; ++i) Turn();
  EXPECT_EQ(engine_.calls, 40);
}

}  // namespace
}  // namespace fpo::coordinator
