#pragma once

#include <c10/core/Allocator.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

namespace fpo::train {

// Memory of the CPU's tensors. Large blocks are mapped one by one and kept for later when they are
// freed, so that the next step finds its pages; but used and kept blocks together never take more
// than the used ones once did. A heap in which blocks of many sizes are freed and cut anew takes up
// to twice as much, and how much nobody can say before. Small blocks are on the heap.
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
  Block* TakeKept(size_t bytes);
  void Unmap(size_t bytes);  // kept blocks, the largest first, until so many bytes are gone
  void Return(Block* block);

  c10::Allocator* const libtorch_;
  mutable std::mutex mutex_;
  std::multimap<size_t, Block*> kept_;  // by size
  Use use_;
};

}  // namespace fpo::train
