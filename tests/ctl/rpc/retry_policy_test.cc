#include "ctl/rpc/retry_policy.h"

#include <vector>

#include "gtest/gtest.h"

namespace fpo::ctl {
namespace {

constexpr ReconnectOptions kShort = {.first_wait = absl::Milliseconds(1),
                                     .wait_max = absl::Milliseconds(2),
                                     .give_up_after = absl::Milliseconds(50)};

// Gives one status after the other, the last one forever.
class Script {
 public:
  explicit Script(std::vector<grpc::StatusCode> codes) : codes_(std::move(codes)) {}
  grpc::Status operator()() {
    const size_t at = std::min(calls_++, codes_.size() - 1);
    return grpc::Status(codes_[at], "");
  }
  size_t calls() const { return calls_; }

 private:
  std::vector<grpc::StatusCode> codes_;
  size_t calls_ = 0;
};

TEST(RetryPolicy, TellsAtOnceThatNothingAnswers) {
  Interrupt interrupt;
  RetryPolicy policy(nullptr, kShort);
  Script script({grpc::UNAVAILABLE});
  EXPECT_EQ(policy.Call(interrupt, std::ref(script)).error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(script.calls(), 1u);
}

TEST(RetryPolicy, RepeatsWhatAKnownServerLostOrCancelled) {
  Interrupt interrupt;
  RetryPolicy policy(nullptr, kShort);
  Script script({grpc::OK, grpc::CANCELLED, grpc::UNAVAILABLE, grpc::OK});
  EXPECT_TRUE(policy.Call(interrupt, std::ref(script)).ok());
  EXPECT_TRUE(policy.Call(interrupt, std::ref(script)).ok());
  EXPECT_EQ(script.calls(), 4u);
}

TEST(RetryPolicy, AnAnswerIsNotRepeatedAndItsEndComes) {
  Interrupt interrupt;
  RetryPolicy policy(nullptr, kShort);
  Script refused({grpc::NOT_FOUND});
  EXPECT_EQ(policy.Call(interrupt, std::ref(refused)).error_code(), grpc::NOT_FOUND);
  EXPECT_EQ(refused.calls(), 1u);
  Script gone({grpc::UNAVAILABLE});
  EXPECT_EQ(policy.Call(interrupt, std::ref(gone)).error_code(), grpc::UNAVAILABLE);
  EXPECT_GT(gone.calls(), 3u);
  interrupt.Raise();
  Script interrupted({grpc::UNAVAILABLE});
  (void)policy.Call(interrupt, std::ref(interrupted));
  EXPECT_EQ(interrupted.calls(), 1u);
}

}  // namespace
}  // namespace fpo::ctl
