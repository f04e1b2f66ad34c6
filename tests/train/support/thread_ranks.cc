#include "tests/train/support/thread_ranks.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/train/support/free_port.h"
#include "train/collective/c10d_process_group.h"
#include "train/collective/single_process_group.h"

namespace fpo::train {

bool HasRanks() {
  C10dOptions alone;
  alone.timeout = absl::Seconds(5);
  return !absl::IsUnimplemented(JoinC10d(alone).status());
}

void AsRanks(int64_t world, const std::function<void(ProcessGroup& group)>& work) {
  if (world == 1) {
    SingleProcessGroup group;
    return work(group);
  }
  const int port = FreePort();
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < world; ++rank) {
    threads.emplace_back([=, &work] {
      C10dOptions options;
      options.rank = rank;
      options.world = world;
      options.port = port;
      options.timeout = absl::Seconds(60);
      auto group = JoinC10d(options);
      ASSERT_TRUE(group.ok()) << group.status();
      work(**group);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace fpo::train
