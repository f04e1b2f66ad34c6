#include "coordinator/core/scheduling/placement.h"

#include "gtest/gtest.h"
#include "tests/coordinator/core/fixtures.h"

namespace fpo::coordinator {
namespace {

std::string FirstWorker(const Job& job, const std::vector<SlotOffer>& offers,
                        const std::set<std::string>& near = {}) {
  const std::vector<Member> members = Place(job, Eligible(job, offers), near);
  return members.empty() ? "" : members.front().worker;
}

TEST(Placement, LabelsAreRequired) {
  Job job = MakeJob("j-1");
  job.demand.require = {{"gpu", "h100"}};
  std::vector<SlotOffer> offers = {Offer("w1", 1, 1), Offer("w2", 8, 8)};
  EXPECT_EQ(FirstWorker(job, offers), "");
  offers[1].labels = {{"gpu", "h100"}, {"zone", "a"}};
  EXPECT_EQ(FirstWorker(job, offers), "w2");
}

TEST(Placement, PrefersWorkersThatHoldItsFiles) {
  const Job job = MakeJob("j-1");
  const std::vector<SlotOffer> offers = {Offer("w1", 1, 1), Offer("w2", 8, 8)};
  EXPECT_EQ(FirstWorker(job, offers), "w1");
  EXPECT_EQ(FirstWorker(job, offers, {"w2"}), "w2");
}

TEST(Placement, ExcludedWorkersAreUsedOnlyWhenNothingElseCouldHoldIt) {
  Job job = MakeJob("j-1", 2);
  job.host_faults["w1"] = 2;
  EXPECT_EQ(FirstWorker(job, {Offer("w1", 2, 2), Offer("w2", 8, 8)}), "w2");
  EXPECT_EQ(FirstWorker(job, {Offer("w1", 2, 2), Offer("w2", 8, 0)}), "") << "w2 is waited for";
  EXPECT_EQ(FirstWorker(job, {Offer("w1", 2, 2), Offer("w2", 1, 1)}), "w1");
}

TEST(Placement, AnExcludedWorkerIsUsedWhenTheOthersAreGoneOrClosed) {
  Job job = MakeJob("j-1");
  job.unready_hosts = {"w1"};
  job.host_faults["w1"] = 1;
  SlotOffer other = Offer("w2", 1, 1);
  other.connected = false;
  EXPECT_EQ(FirstWorker(job, {Offer("w1", 1, 1), other}), "") << "it may be back in a moment";
  other.gone = true;
  EXPECT_EQ(FirstWorker(job, {Offer("w1", 1, 1), other}), "w1");
  other = Offer("w2", 1, 1);
  other.open = false;
  EXPECT_EQ(FirstWorker(job, {Offer("w1", 1, 1), other}), "w1");
}

TEST(Placement, TakeAndGiveAreInverse) {
  std::vector<SlotOffer> offers = {Offer("w1", 4, 3)};
  Take({MemberOn("w1", 2)}, &offers);
  EXPECT_EQ(offers[0].free, 1);
  Give({MemberOn("w1", 2), MemberOn("w1", 9)}, &offers);
  EXPECT_EQ(offers[0].free, 4) << "never more than it has";
  EXPECT_EQ(LargestGroup({Offer("a", 2, 0), Offer("b", 3, 0), Offer("c", 4, 4, DeviceKind::kCuda)}),
            5);
}

TEST(Placement, GroupsCountWhoMayComeBackOrOnlyWhoIsThere) {
  std::vector<SlotOffer> offers = {Offer("a", 2, 0), Offer("b", 3, 3)};
  offers[1].connected = false;
  EXPECT_EQ(LargestGroup(offers), 5);
  EXPECT_EQ(LargestLive({}, offers), 2);
  EXPECT_EQ(LargestLive({{"gpu", "h100"}}, offers), 0);
  offers[1].gone = true;
  EXPECT_EQ(LargestGroup(offers), 2);
}

}  // namespace
}  // namespace fpo::coordinator
