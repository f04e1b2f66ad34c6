#include "worker/trainer/train/process_memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace fpo::train {
namespace {

TEST(ProcessMemory, PeakGrowsWithUse) {
  const int64_t before = PeakMemoryBytes();
  EXPECT_GT(before, 1 << 20);
  { const std::vector<char> block(size_t{256} << 20, 1); }
  EXPECT_GE(PeakMemoryBytes(), before);
}

}  // namespace
}  // namespace fpo::train
