#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "tests/train/support/free_port.h"
#include "tests/train/support/ranks_as_threads.h"
#include "train/collective/c10d_process_group.h"

namespace fpo::train {

// Whether this build can join ranks at all.
inline bool HasGloo() {
  C10dOptions alone;
  alone.port = FreePort();
  return !absl::IsUnimplemented(JoinC10d(alone).status());
}

// Runs `work` as every rank of a group, each on a thread.
template <typename Work>
void AsRanks(int64_t world, Work work) {
  const int port = FreePort();
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < world; ++rank) {
    threads.emplace_back([rank, world, port, &work] {
      C10dOptions options;
      options.rank = rank;
      options.world = world;
      options.port = port;
      options.timeout = absl::Seconds(30);
      auto group = JoinC10d(options);
      ASSERT_TRUE(group.ok()) << group.status();
      work(**group);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace fpo::train
