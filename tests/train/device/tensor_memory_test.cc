#include "train/device/tensor_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <thread>
#include <vector>

namespace fpo::train {
namespace {

constexpr size_t kMib = size_t{1} << 20;

TEST(TensorMemory, AFreedBlockIsUsedAgain) {
  TensorMemory memory;
  std::optional<c10::DataPtr> block = memory.allocate(8 * kMib);
  void* const first = block->get();
  std::memset(first, 1, 8 * kMib);
  block.reset();
  EXPECT_GE(memory.use().kept, 8 * kMib);
  const c10::DataPtr again = memory.allocate(8 * kMib);
  EXPECT_EQ(again.get(), first);
  EXPECT_EQ(memory.use().kept, 0u);
}

TEST(TensorMemory, WithoutAnInstalledOneThereIsNothingToGiveBack) { TensorMemory::GiveBackKept(); }

// However blocks of different sizes follow one another.
TEST(TensorMemory, UsedAndKeptNeverTakeMoreThanWasUsedAtOnce) {
  TensorMemory memory;
  for (const size_t mib : {64, 40, 7, 63, 21, 33, 64, 2, 50}) {
    const c10::DataPtr block = memory.allocate(mib * kMib);
    const TensorMemory::Use use = memory.use();
    EXPECT_LE(use.used + use.kept, use.most) << mib;
  }
  EXPECT_LT(memory.use().most, 65 * kMib);
}

TEST(TensorMemory, BlocksAreAlignedAndTheirOwn) {
  TensorMemory memory;
  std::vector<c10::DataPtr> blocks;
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{131071}, kMib, 3 * kMib + 5}) {
    blocks.push_back(memory.allocate(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(blocks.back().get()) % 64, 0u) << bytes;
    std::memset(blocks.back().get(), static_cast<int>(blocks.size()), bytes);
  }
  EXPECT_EQ(*static_cast<char*>(blocks.at(0).get()), 1);
  EXPECT_EQ(*static_cast<char*>(blocks.at(3).get()), 4);
  EXPECT_EQ(memory.allocate(0).get(), nullptr);
}

TEST(TensorMemory, LibrariesMayTakeRawMemory) {
  TensorMemory memory;
  for (const size_t bytes : {size_t{100}, 2 * kMib}) {
    void* const raw = memory.raw_allocate(bytes);
    std::memset(raw, 1, bytes);
    memory.raw_deallocate(raw);
  }
  EXPECT_EQ(memory.use().used, 0u);
}

TEST(TensorMemory, ThreadsShareIt) {
  TensorMemory memory;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&memory, i] {
      for (size_t round = 0; round < 200; ++round) {
        const c10::DataPtr block =
            memory.allocate((1 + (round + static_cast<size_t>(i)) % 5) * kMib);
        std::memset(block.get(), i, 4096);
        EXPECT_EQ(*static_cast<char*>(block.get()), i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(memory.use().used, 0u);
}

}  // namespace
}  // namespace fpo::train
