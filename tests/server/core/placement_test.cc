#include "server/core/placement.h"

#include "gtest/gtest.h"
#include "tests/server/core/fixtures.h"

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

TEST(Placement, TakeAndGiveAreInverse) {
  std::vector<SlotOffer> offers = {Offer("w1", 4, 3)};
  Take({MemberOn("w1", 2)}, &offers);
  EXPECT_EQ(offers[0].free, 1);
  Give({MemberOn("w1", 2), MemberOn("w1", 9)}, &offers);
  EXPECT_EQ(offers[0].free, 4) << "never more than it has";
  EXPECT_EQ(LargestGroup({Offer("a", 2, 0), Offer("b", 3, 0), Offer("c", 4, 4, "cuda")}), 5);
}

}  // namespace
}  // namespace fpo::coordinator
