#include "cache/core/collection/key_reservations.h"

#include <memory>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace fpo::cache {
namespace {

TEST(KeyReservations, KeysThatOverlapWaitAndOthersDoNot) {
  KeyReservations reservations;
  auto first =
      std::make_unique<KeyReservations::Hold>(&reservations, std::vector<std::string>{"a", "b"});
  { const KeyReservations::Hold other(&reservations, {"c"}); }
  absl::Notification entered;
  std::thread waiter([&] {
    const KeyReservations::Hold second(&reservations, {"b", "c"});
    entered.Notify();
  });
  EXPECT_FALSE(entered.WaitForNotificationWithTimeout(absl::Milliseconds(50)));
  first.reset();
  EXPECT_TRUE(entered.WaitForNotificationWithTimeout(absl::Seconds(10)));
  waiter.join();
}

}  // namespace
}  // namespace fpo::cache
