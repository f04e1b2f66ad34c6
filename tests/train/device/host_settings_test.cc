#include "train/device/host_settings.h"

#include <sys/resource.h>

#include <cstring>
#include <memory>

#include "gtest/gtest.h"

namespace fpo::train {
namespace {

// Pages that the system gave this process while a block was used and freed.
long PagesOfABlock(size_t bytes) {
  rusage before = {}, after = {};
  getrusage(RUSAGE_SELF, &before);
  const std::unique_ptr<char[]> block(new char[bytes]);
  std::memset(block.get(), 1, bytes);
  getrusage(RUSAGE_SELF, &after);
  return after.ru_minflt - before.ru_minflt;
}

TEST(KeepFreedMemory, UsesPagesAgain) {
  constexpr size_t kBytes = size_t{96} << 20;
  KeepFreedMemory();
  PagesOfABlock(kBytes);
  EXPECT_LT(PagesOfABlock(kBytes), 1000);  // of 24,576, with pages of 4 KiB
}

}  // namespace
}  // namespace fpo::train
