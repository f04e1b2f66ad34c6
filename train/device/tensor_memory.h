#pragma once

#include <c10/core/Allocator.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

namespace fpo::train {

// Memory of the CPU's tensors. Large blocks are mapped and kept for later when they are freed, so
// that the next step, whatever its sizes, finds pages: new blocks are cut from kept ones, or are
// kept ones that are moved to where there is room for more behind them. Used and kept blocks
// together never take more than the used ones once did: what fits nowhere is unmapped. A heap
// takes up to twice as much, and how much nobody can say before. Small blocks are on the heap.
// Thread-safe; lives as long as the process.
class TensorMemory : public c10::Allocator {
 public:
  static constexpr size_t kLeastBytes = size_t{128} << 10;  // of a large block

  // For all tensors of the CPU from now on. Call before the first tensor; never twice.
  static void Install();
  // Unmaps what the installed one keeps, if there is one.
  static void GiveBackKept();

  TensorMemory();
  ~TensorMemory() override = default;
  c10::DataPtr allocate(size_t bytes) override;
  c10::DeleterFnPtr raw_deleter() const override { return &TensorMemory::Free; }
  void copy_data(void* to, const void* from, std::size_t count) const override;

  struct Use {
    size_t used = 0;  // large blocks that tensors hold
    size_t kept = 0;  // freed ones that are still mapped
    size_t most = 0;  // that were used at once
  };
  Use use() const;

 private:
  struct Block;  // before its data
  static void Free(void* data);
  static Block* Small(size_t bytes);
  Block* Large(size_t bytes);
  Block* Cut(size_t bytes);
  Block* Grow(size_t bytes);
  Block* Map(size_t bytes);
  void Unmap(size_t bytes);  // of kept blocks, the smallest first
  void Keep(Block* block);
  void Drop(Block* block);  // from the kept ones
  void Return(Block* block);

  c10::Allocator* const libtorch_;
  mutable std::mutex mutex_;
  std::set<std::pair<size_t, Block*>> by_size_;  // kept ones
  std::set<Block*> by_place_;                    // the same
  Use use_;
};

}  // namespace fpo::train
