#include "train/device/tensor_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>
#include <optional>
#include <random>
#include <thread>
#include <utility>
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

// Pages that a process has touched; those of the block alone are new if none was kept.
int64_t TouchedPages() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// First touches cost more than many a kernel: 1.7 us a page on a virtual machine.
TEST(TensorMemory, StepsOfOtherSizesFindThePagesOfEarlierOnes) {
  TensorMemory memory;
  const auto step = [&memory](size_t mib) {
    std::vector<c10::DataPtr> blocks;
    for (const size_t times : {3, 1, 2, 1}) {
      blocks.push_back(memory.allocate(mib * times * kMib));
      std::memset(blocks.back().get(), 1, mib * times * kMib);
    }
  };
  step(12);
  const int64_t before = TouchedPages();
  for (const size_t mib : {9, 11, 7, 12, 10}) step(mib);
  const int64_t all = (9 + 11 + 7 + 12 + 10) * 7 * 256;  // pages of 4 KiB
  EXPECT_LT(TouchedPages() - before, all / 10);
}

TEST(TensorMemory, AGrownBlockKeepsNothingBehind) {
  TensorMemory memory;
  std::optional<c10::DataPtr> small = memory.allocate(2 * kMib), other = memory.allocate(kMib);
  small.reset();
  const c10::DataPtr large = memory.allocate(5 * kMib);
  std::memset(large.get(), 1, 5 * kMib);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large.get()) % 64, 0u);
  EXPECT_EQ(memory.use().kept, 0u);
  EXPECT_LT(memory.use().used, 7 * kMib);
}

// What was written stays, however blocks are cut, moved and joined.
TEST(TensorMemory, BlocksNeverOverlap) {
  TensorMemory memory;
  std::vector<std::pair<c10::DataPtr, size_t>> blocks;
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    if (blocks.size() < 12 && random() % 2 == 0) {
      const size_t bytes = kMib / 4 + random() % (2 * kMib);
      blocks.emplace_back(memory.allocate(bytes), bytes);
      std::memset(blocks.back().first.get(), static_cast<int>(bytes % 251), bytes);
    } else if (!blocks.empty()) {
      const size_t i = random() % blocks.size();
      const auto* const data = static_cast<const unsigned char*>(blocks[i].first.get());
      const size_t bytes = blocks[i].second;
      for (size_t at = 0; at < bytes; at += 509) ASSERT_EQ(data[at], bytes % 251) << round;
      ASSERT_EQ(data[bytes - 1], bytes % 251) << round;
      blocks.erase(blocks.begin() + static_cast<int64_t>(i));
    }
    ASSERT_LE(memory.use().used + memory.use().kept, memory.use().most);
  }
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
