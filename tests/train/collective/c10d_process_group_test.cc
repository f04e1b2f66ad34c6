#include "train/collective/c10d_process_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>
#include <torch/csrc/distributed/c10d/FlightRecorder.hpp>

#include "tests/train/support/free_port.h"
#include "tests/train/support/ranks_as_threads.h"

namespace fpo::train {
namespace {

C10dOptions Options(int64_t rank, int64_t world, int port) {
  C10dOptions options;
  options.rank = rank;
  options.world = world;
  options.port = port;
  options.timeout = absl::Seconds(20);
  return options;
}

// Runs `work` as every rank of a group of two, in threads.
template <typename Work>
void AsTwoRanks(Work work) {
  C10dOptions alone = Options(0, 1, FreePort());
  if (absl::IsUnimplemented(JoinC10d(alone).status())) GTEST_SKIP() << "built without Gloo";
  const int port = FreePort();
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < 2; ++rank) {
    threads.emplace_back([rank, port, work] {
      auto group = JoinC10d(Options(rank, 2, port));
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
    EXPECT_TRUE(group.Barrier().ok());
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

TEST(C10dProcessGroup, NobodyThereIsAborted) {
  C10dOptions options = Options(1, 2, FreePort());
  options.timeout = absl::Seconds(1);
  const auto group = JoinC10d(options);
  EXPECT_TRUE(absl::IsAborted(group.status()) || absl::IsUnimplemented(group.status()))
      << group.status();
}

}  // namespace
}  // namespace fpo::train
