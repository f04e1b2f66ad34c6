#include "train/device/process_memory.h"

#include <gtest/gtest.h>

#include <vector>

namespace fpo::train {
namespace {

TEST(ProcessMemory, PeakGrowsWithUse) {
  const int64_t before = PeakMemoryBytes();
  EXPECT_GT(before, 1 << 20);
  // More than the process can have had before, so that its peak must move; all of it is written.
  const size_t bytes = static_cast<size_t>(before) + (size_t{64} << 20);
  { const std::vector<char> block(bytes, 1); }
  EXPECT_GE(PeakMemoryBytes(), static_cast<int64_t>(bytes));
}

TEST(ProcessMemory, SomeIsAvailable) {
  const int64_t before = AvailableMemoryBytes();
  EXPECT_GT(before, 1 << 20);
  EXPECT_LT(before, int64_t{1} << 50);
}

}  // namespace
}  // namespace fpo::train
