#include "train/device/tensor_memory.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <new>

namespace fpo::train {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHeader = 64;  // the alignment of tensors

size_t MappedBytes(size_t bytes) { return (bytes + kHeader + kPage - 1) / kPage * kPage; }

TensorMemory*& Installed() {
  static TensorMemory* memory = nullptr;  // of the process, which it outlives
  return memory;
}

}  // namespace

struct TensorMemory::Block {
  TensorMemory* owner;  // null: on the heap
  size_t bytes;         // mapped, with this
};

TensorMemory::TensorMemory() : libtorch_(c10::GetDefaultCPUAllocator()) {}

void TensorMemory::Install() {
  Installed() = new TensorMemory;
  c10::SetCPUAllocator(Installed(), /*priority=*/1);
}

void TensorMemory::GiveBackKept() {
  TensorMemory* const memory = Installed();
  if (memory == nullptr) return;
  const std::lock_guard<std::mutex> lock(memory->mutex_);
  memory->Unmap(memory->use_.kept);
}

c10::DataPtr TensorMemory::allocate(size_t bytes) {
  Block* const block = bytes == 0 ? nullptr : bytes < kLeastBytes ? Small(bytes) : Large(bytes);
  if (block == nullptr) return libtorch_->allocate(bytes);  // of no bytes, or fails in its words
  void* const data = reinterpret_cast<char*>(block) + kHeader;
  return {data, data, &TensorMemory::Free, c10::Device(c10::DeviceType::CPU)};
}

TensorMemory::Block* TensorMemory::Small(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, kHeader, kHeader + bytes) != 0) return nullptr;
  return new (memory) Block{nullptr, 0};
}

TensorMemory::Block* TensorMemory::Large(size_t bytes) {
  const size_t mapped = MappedBytes(bytes);
  const std::lock_guard<std::mutex> lock(mutex_);
  Block* block = Cut(mapped);
  if (block == nullptr) block = Grow(mapped);
  if (block == nullptr) block = Map(mapped);
  if (block == nullptr) return nullptr;
  use_.used += mapped;
  use_.most = std::max(use_.most, use_.used);
  const size_t all = use_.used + use_.kept;
  if (all > use_.most) Unmap(all - use_.most);
  return block;
}

// Of the smallest kept block that is large enough; what is left of it stays kept.
TensorMemory::Block* TensorMemory::Cut(size_t bytes) {
  const auto found = by_size_.lower_bound({bytes, nullptr});
  if (found == by_size_.end()) return nullptr;
  Block* const block = found->second;
  const size_t left = block->bytes - bytes;
  Drop(block);
  block->bytes = bytes;
  if (left > 0) Keep(new (reinterpret_cast<char*>(block) + bytes) Block{this, left});
  return block;
}

// One of the largest kept blocks with new pages behind its own, wherever there is room for both.
TensorMemory::Block* TensorMemory::Grow(size_t bytes) {
  constexpr int kTried = 4;  // of neighbours that were mapped at different times none can grow
  auto largest = by_size_.rbegin();
  for (int i = 0; i < kTried && largest != by_size_.rend(); ++i, ++largest) {
    Block* const block = largest->second;
    const size_t size = block->bytes;
    void* const grown = mremap(block, size, bytes, MREMAP_MAYMOVE);
    if (grown == MAP_FAILED) continue;
    by_size_.erase({size, block});
    by_place_.erase(block);
    use_.kept -= size;
    return new (grown) Block{this, bytes};
  }
  return nullptr;
}

TensorMemory::Block* TensorMemory::Map(size_t bytes) {
  const auto map = [bytes] {
    return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  };
  void* memory = map();
  if (memory == MAP_FAILED && use_.kept > 0) {  // a limit: what is kept may be what lacks
    Unmap(use_.kept);
    memory = map();
  }
  return memory == MAP_FAILED ? nullptr : new (memory) Block{this, bytes};
}

void TensorMemory::Unmap(size_t bytes) {
  while (bytes > 0 && !by_size_.empty()) {
    Block* const block = by_size_.begin()->second;
    const size_t size = block->bytes, gone = std::min(size, bytes);
    Drop(block);
    // Fails where a process may not have more mappings.
    if (munmap(reinterpret_cast<char*>(block) + size - gone, gone) != 0) return Keep(block);
    bytes -= gone;
    if (gone == size) continue;
    block->bytes = size - gone;
    Keep(block);
  }
}

void TensorMemory::Keep(Block* block) {
  use_.kept += block->bytes;
  by_size_.emplace(block->bytes, block);
  by_place_.insert(block);
}

void TensorMemory::Drop(Block* block) {
  use_.kept -= block->bytes;
  by_size_.erase({block->bytes, block});
  by_place_.erase(block);
}

// Kept neighbours become one block.
void TensorMemory::Return(Block* block) {
  const std::lock_guard<std::mutex> lock(mutex_);
  use_.used -= block->bytes;
  const auto end_of = [](Block* of) { return reinterpret_cast<char*>(of) + of->bytes; };
  auto next = by_place_.upper_bound(block);
  if (next != by_place_.begin()) {
    Block* const before = *std::prev(next);
    if (end_of(before) == reinterpret_cast<char*>(block)) {
      Drop(before);
      before->bytes += block->bytes;
      block = before;
    }
  }
  next = by_place_.upper_bound(block);
  if (next != by_place_.end() && end_of(block) == reinterpret_cast<char*>(*next)) {
    Block* const after = *next;
    Drop(after);
    block->bytes += after->bytes;
  }
  Keep(block);
}

void TensorMemory::Free(void* data) {
  if (data == nullptr) return;
  auto* const block = reinterpret_cast<Block*>(static_cast<char*>(data) - kHeader);
  block->owner == nullptr ? std::free(block) : block->owner->Return(block);
}

void TensorMemory::copy_data(void* to, const void* from, std::size_t count) const {
  default_copy_data(to, from, count);
}

TensorMemory::Use TensorMemory::use() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return use_;
}

}  // namespace fpo::train
