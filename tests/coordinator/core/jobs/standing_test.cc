#include "coordinator/core/jobs/standing.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace fpo::coordinator {
namespace {

TEST(Standing, EveryOneHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(Standing::kCancelled); ++i) {
    const std::string name(StandingName(static_cast<Standing>(i)));
    EXPECT_NE(name, "") << i;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(StandingName(Standing::kWaitingForSlots), "waiting-for-slots");
  EXPECT_EQ(StandingName(Standing::kRecords), "records");
}

}  // namespace
}  // namespace fpo::coordinator
