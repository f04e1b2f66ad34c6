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
  if (Block* const kept = TakeKept(mapped)) return kept;
  void* const memory =
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) return new (memory) Block{this, mapped};
  const std::lock_guard<std::mutex> lock(mutex_);
  use_.used -= mapped;
  return nullptr;
}

// A kept block that is at most a sixteenth too large; null: the caller maps one, counted already.
TensorMemory::Block* TensorMemory::TakeKept(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = kept_.lower_bound(bytes);
  if (found != kept_.end() && found->first <= bytes + bytes / 16) {
    Block* const block = found->second;
    kept_.erase(found);
    use_.kept -= block->bytes;
    use_.used += block->bytes;
    use_.most = std::max(use_.most, use_.used);
    return block;
  }
  use_.used += bytes;
  use_.most = std::max(use_.most, use_.used);
  const size_t all = use_.used + use_.kept;
  if (all > use_.most) Unmap(all - use_.most);
  return nullptr;
}

void TensorMemory::Unmap(size_t bytes) {
  for (size_t gone = 0; gone < bytes && !kept_.empty();) {
    const auto largest = std::prev(kept_.end());
    Block* const block = largest->second;
    const size_t size = block->bytes;
    kept_.erase(largest);
    use_.kept -= size;
    gone += size;
    munmap(block, size);
  }
}

void TensorMemory::Return(Block* block) {
  const std::lock_guard<std::mutex> lock(mutex_);
  use_.used -= block->bytes;
  use_.kept += block->bytes;
  kept_.emplace(block->bytes, block);
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
