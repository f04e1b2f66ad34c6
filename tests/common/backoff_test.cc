#include "common/backoff.h"

#include "gtest/gtest.h"

namespace fpo {
namespace {

TEST(Backoff, DoublesUpToTheMostAndStartsAgain) {
  Backoff backoff({.first = absl::Seconds(1), .most = absl::Seconds(8), .seed = 3});
  double expected = 1;
  for (int i = 0; i < 8; ++i) {
    const double pause = absl::ToDoubleSeconds(backoff.Next());
    EXPECT_GE(pause, expected / 2);
    EXPECT_LE(pause, expected);
    expected = std::min(expected * 2, 8.0);
  }
  backoff.Reset();
  EXPECT_LE(absl::ToDoubleSeconds(backoff.Next()), 1.0);
}

TEST(Backoff, OnlyErrorsThatMayPassAreRetryable) {
  EXPECT_TRUE(IsRetryable(absl::UnavailableError("")));
  EXPECT_TRUE(IsRetryable(absl::DeadlineExceededError("")));
  EXPECT_TRUE(IsRetryable(absl::AbortedError("")));
  EXPECT_TRUE(IsRetryable(absl::CancelledError(""))) << "by a server that ends";
  EXPECT_FALSE(IsRetryable(absl::InvalidArgumentError("")));
  EXPECT_FALSE(IsRetryable(absl::NotFoundError("")));
  EXPECT_FALSE(IsRetryable(absl::OkStatus()));
}

}  // namespace
}  // namespace fpo
