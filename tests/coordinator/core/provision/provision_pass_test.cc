#include "coordinator/core/provision/provision_pass.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

using ::testing::ElementsAre;

class ProvisionPassTest : public ::testing::Test {
 protected:
  ProvisionPassTest() {
    ProvisionPool pool;
    pool.name = "cpu";
    pool.slots_per_worker = 2;
    pool.max_workers = 10;
    pool.labels = {{"pool", "cpu"}};
    pool.ask_after = absl::ZeroDuration();
    pools_ = {pool};
  }
  void AddRequest(const std::string& id, int32_t workers, int32_t arrived) {
    ProvisionRequest& request = entries_[id].request;
    request.id = id;
    request.pool = "cpu";
    request.workers = workers;
    request.arrived = arrived;
    request.state = ProvisionRequest::State::kAsked;
  }
  std::map<std::string, std::string> Run(const std::vector<Job>& waiting,
                                         std::vector<SlotOffer> offers) {
    ProvisionPass pass({&pools_, &entries_, &backoffs_, &lacking_}, std::move(offers),
                       {kStart, kStart});
    pass.on_ask = [this](ProvisionRequest request) {
      asked_.push_back(request.workers);
      request.id = "new" + std::to_string(asked_.size());
      return &(entries_[request.id] = ProvisionEntry{.request = request});
    };
    std::vector<const Job*> jobs;
    for (const Job& job : waiting) jobs.push_back(&job);
    const auto notes = pass.Run(jobs);
    counts_on_ = pass.TakeCountsOn();
    return notes;
  }

  std::vector<ProvisionPool> pools_;
  std::map<std::string, ProvisionEntry> entries_;
  std::map<ProvisionShape, ProvisionBackoff> backoffs_;
  std::map<std::string, Moment> lacking_;
  std::vector<int32_t> asked_;
  std::map<std::string, std::set<std::string>> counts_on_;
};

TEST_F(ProvisionPassTest, WorkersThatCameAreCountedOnceAmongTheOffers) {
  AddRequest("r", 2, 1);
  Run({MakeJob("j-1", 4)}, {Offer("w1", 2, 2)});
  EXPECT_TRUE(asked_.empty()) << "2 slots are there, 2 come";
  EXPECT_THAT(counts_on_.at("j-1"), ElementsAre("r"));
  Run({MakeJob("j-1", 6)}, {Offer("w1", 2, 2)});
  EXPECT_THAT(asked_, ElementsAre(3)) << "the whole gang";
}

TEST_F(ProvisionPassTest, ARequestThatOnlyFreeSlotsStandInForIsNotNeeded) {
  AddRequest("r", 1, 0);
  Run({MakeJob("j-1", 1)}, {Offer("w1", 1, 1)});
  EXPECT_FALSE(entries_.at("r").needed);
  Run({MakeJob("j-1", 1), MakeJob("j-2", 1)}, {Offer("w1", 1, 1)});
  EXPECT_TRUE(entries_.at("r").needed);
}

TEST_F(ProvisionPassTest, AGangOfAnotherDeviceIsNotCompletedByThePool) {
  Run({MakeJob("j-1", 4)}, {Offer("w1", 3, 3, DeviceKind::kCuda)});
  EXPECT_THAT(asked_, ElementsAre(2));
}

TEST_F(ProvisionPassTest, LostAndClosedWorkersAreNotWaitedFor) {
  SlotOffer lost = Offer("w1", 2, 2), closed = Offer("w2", 2, 2);
  lost.connected = false;
  closed.open = false;
  Run({MakeJob("j-1", 2)}, {lost, closed});
  EXPECT_THAT(asked_, ElementsAre(1));
}

TEST_F(ProvisionPassTest, AJobThatLacksNothingAnyMoreIsForgotten) {
  pools_[0].ask_after = absl::Hours(1);
  Run({MakeJob("j-1", 2)}, {});
  EXPECT_EQ(lacking_.count("j-1"), 1u);
  Run({}, {});
  EXPECT_TRUE(lacking_.empty());
}

}  // namespace
}  // namespace fpo::coordinator
