#include "worker/core/errands.h"

#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace fpo::worker {
namespace {

TEST(ErrandsTest, NobodyWaitsForThemAndTheyKeepTheirOrder) {
  std::vector<int> done;
  absl::Notification go;
  Errands errands;
  errands.Add([&] { go.WaitForNotification(); });
  errands.Add([&] { done.push_back(1); });
  errands.Add([&] { done.push_back(2); });
  go.Notify();
  errands.AwaitAll();
  EXPECT_EQ(done, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace fpo::worker
