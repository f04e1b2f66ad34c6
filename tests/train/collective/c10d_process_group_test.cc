#include "train/collective/c10d_process_group.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <torch/csrc/distributed/c10d/FlightRecorder.hpp>

#include "absl/time/clock.h"
#include "tests/train/support/free_port.h"
#include "tests/train/support/ranks_as_threads.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

C10dOptions Options(int64_t rank, int64_t world, int port) {
  C10dOptions options;
  options.rank = rank;
  options.world = world;
  options.port = port;
  options.timeout = absl::Seconds(20);
  return options;
}

std::atomic<int> lines_of_wait = 0;

// Runs `work` as every rank of a group of two, in threads.
template <typename Work>
void AsTwoRanks(Work work, const std::function<void(C10dOptions*)>& change = {}) {
  C10dOptions alone = Options(0, 1, FreePort());
  if (absl::IsUnimplemented(JoinC10d(alone).status())) GTEST_SKIP() << "built without Gloo";
  const int port = FreePort();
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < 2; ++rank) {
    threads.emplace_back([rank, port, work, change] {
      C10dOptions options = Options(rank, 2, port);
      if (change) change(&options);
      auto group = JoinC10d(options);
      ASSERT_TRUE(group.ok()) << group.status();
      work(**group);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(C10dProcessGroup, SumsInRankOrder) {
  AsTwoRanks([](ProcessGroup& group) {
    std::vector<double> values = {1.0 + static_cast<double>(group.rank()), 0.5};
    ASSERT_TRUE(group.Sum(&values).ok());
    EXPECT_EQ(values, (std::vector<double>{3, 1}));
    // More than one chunk, a shape, and a small one behind it.
    const at::Tensor large = at::full({5, 1 << 20}, 1.0f + static_cast<float>(group.rank()));
    const at::Tensor small = at::ones({3});
    ASSERT_TRUE(group.Sum(std::vector<at::Tensor>{large, small}).ok());
    EXPECT_EQ(large.min().item<float>(), 3.0f);
    EXPECT_EQ(large.max().item<float>(), 3.0f);
    EXPECT_EQ(small.sum().item<float>(), 6.0f);
    EXPECT_TRUE(group.Barrier("adding").ok());
  });
}

// Row r of rank s is row s of rank r then.
TEST(C10dProcessGroup, ExchangesRowsAndGathersThem) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    AsTwoRanks([dtype](ProcessGroup& group) {
      const auto rank = static_cast<double>(group.rank());
      const at::Tensor in =
          at::stack({at::full({3}, 10 * rank), at::full({3}, 10 * rank + 1)}).to(dtype);
      const at::Tensor out = at::empty_like(in), all = at::empty_like(in);
      const at::Tensor own = at::full({3}, rank, dtype);
      const int64_t before = group.sent_bytes();
      auto exchange = group.StartAllToAll(out, in);
      auto gather = group.StartAllGather(all, own);  // both are on their way
      ASSERT_TRUE(exchange.ok() && gather.ok());
      ASSERT_TRUE((*exchange)->Wait().ok());
      ASSERT_TRUE((*gather)->Wait().ok());
      EXPECT_TRUE(
          at::equal(out, at::stack({at::full({3}, rank), at::full({3}, 10 + rank)}).to(dtype)))
          << out;
      EXPECT_TRUE(at::equal(all, at::stack({at::zeros({3}), at::ones({3})}).to(dtype))) << all;
      EXPECT_EQ(group.sent_bytes() - before, 2 * static_cast<int64_t>(own.nbytes()));
    });
  }
}

TEST(C10dProcessGroup, AnExchangeWithALostRankIsAborted) {
  AsTwoRanks([](ProcessGroup& group) {
    if (group.rank() == 1) return;
    const at::Tensor in = at::zeros({2, 3}), out = at::empty_like(in);
    const auto exchange = group.StartAllToAll(out, in);
    const absl::Status status = exchange.ok() ? (*exchange)->Wait() : exchange.status();
    EXPECT_TRUE(absl::IsAborted(status)) << status;
  });
}

TEST(RanksAsThreads, NoGroupIsNotedInTheUnlockedMapOfTheFlightRecorder) {
  EXPECT_FALSE(c10d::FlightRecorder<c10::Event>::get()->enabled_);
}

TEST(C10dProcessGroup, ShowsEachRanksBytesToAll) {
  AsTwoRanks([](ProcessGroup& group) {
    const std::string own = group.rank() == 0 ? std::string("\0first\xFF", 7) : "second!";
    const auto all = group.AllGather(own);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(*all, (std::vector<std::string>{std::string("\0first\xFF", 7), "second!"}));
    const auto none = group.AllGather("");
    ASSERT_TRUE(none.ok()) << none.status();
    EXPECT_EQ(*none, (std::vector<std::string>{"", ""}));
  });
}

// Rank 0 works for longer than a call may take; the wait says for whom, and sums work as before.
TEST(C10dProcessGroup, ABarrierOutlastsTheTimeLimitOfCalls) {
  AsTwoRanks(
      [](ProcessGroup& group) {
        if (group.rank() == 0) absl::SleepFor(absl::Seconds(4));
        EXPECT_TRUE(group.Barrier("writing a checkpoint").ok());
        std::vector<double> values = {1};
        EXPECT_TRUE(group.Sum(&values).ok());
        EXPECT_EQ(values[0], 2);
      },
      [](C10dOptions* options) {
        options->timeout = absl::Seconds(3);
        options->barrier.report_every = absl::Milliseconds(500);
        if (options->rank == 0) return;
        options->barrier.report = [](const std::string& line) {
          EXPECT_THAT(line, AllOf(HasSubstr("rank 1 of 2 has waited"), HasSubstr("for rank 0"),
                                  HasSubstr("writing a checkpoint")));
          ++lines_of_wait;
        };
      });
  EXPECT_GE(lines_of_wait, 3);
}

// Long before a silent host would be taken for lost.
TEST(C10dProcessGroup, AProcessThatEndsDuringABarrierIsNoticedAtOnce) {
  for (const int64_t victim : {0, 1}) {
    const absl::Time start = absl::Now();
    AsTwoRanks([victim](ProcessGroup& group) {
      if (group.rank() == victim) return;  // the group ends, and with it its connections
      const absl::Status status = group.Barrier("writing a checkpoint");
      EXPECT_TRUE(absl::IsAborted(status)) << status;
    });
    EXPECT_LT(absl::Now() - start, absl::Seconds(15)) << "rank " << victim;
  }
}

TEST(C10dProcessGroup, NobodyThereIsAborted) {
  C10dOptions options = Options(1, 2, FreePort());
  options.timeout = absl::Seconds(1);
  const auto group = JoinC10d(options);
  EXPECT_TRUE(absl::IsAborted(group.status()) || absl::IsUnimplemented(group.status()))
      << group.status();
}

}  // namespace
}  // namespace fpo::train
