#include "tests/train/support/memory_limit.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

namespace fpo::train {

struct MemoryLimit::Count {
  std::atomic<int64_t> limit = kNone, unwanted = kNone, live = 0, peak = 0, refused = 0;
  std::mutex mutex;
  std::set<int64_t> sizes;  // guarded by mutex
};

namespace {

thread_local std::shared_ptr<MemoryLimit::Count> limit_of_thread;

// Before the bytes of each tensor; as large as their alignment.
struct alignas(64) Header {
  std::shared_ptr<MemoryLimit::Count> count;  // null: made without a limit
  int64_t bytes;
};

// In place of LibTorch's own for the rest of the process; passes everything on without a limit.
class LimitedAllocator final : public at::Allocator {
 public:
  at::DataPtr allocate(size_t size) override {
    const std::shared_ptr<MemoryLimit::Count> count = limit_of_thread;
    const auto bytes = static_cast<int64_t>(size);
    if (count != nullptr) Take(bytes, count.get());
    void* const raw = Own()->raw_allocate(size + sizeof(Header));
    void* const data = new (raw) Header{count, bytes} + 1;
    return {data, data, &Delete, at::kCPU};
  }
  at::DeleterFnPtr raw_deleter() const override { return &Delete; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

 private:
  static at::Allocator* Own() { return c10::GetDefaultCPUAllocator(); }
  static void Take(int64_t bytes, MemoryLimit::Count* count) {
    if (bytes > count->limit - count->live || bytes == count->unwanted) {
      ++count->refused;
      TORCH_CHECK_WITH(OutOfMemoryError, false, "the test's device has no room for ", bytes,
                       " bytes beside ", count->live.load());
    }
    count->live += bytes;
    {
      const std::lock_guard lock(count->mutex);
      count->sizes.insert(bytes);
    }
    count->peak = std::max(count->peak.load(), count->live.load());
  }
  static void Delete(void* data) {
    if (data == nullptr) return;
    Header* const header = static_cast<Header*>(data) - 1;
    if (header->count != nullptr) header->count->live -= header->bytes;
    header->~Header();
    Own()->raw_deallocate(header);
  }
};

void InstallLimitedAllocator() {
  static LimitedAllocator* const allocator = [] {
    auto* made = new LimitedAllocator();  // outlives every tensor
    c10::SetCPUAllocator(made, /*priority=*/1);
    return made;
  }();
  static_cast<void>(allocator);
}

}  // namespace

MemoryLimit::MemoryLimit(int64_t bytes) : count_(std::make_shared<Count>()) {
  InstallLimitedAllocator();
  count_->limit = bytes;
  limit_of_thread = count_;
}

MemoryLimit::~MemoryLimit() { limit_of_thread = nullptr; }

int64_t MemoryLimit::peak_bytes() const { return count_->peak; }
std::set<int64_t> MemoryLimit::sizes() const {
  const std::lock_guard lock(count_->mutex);
  return count_->sizes;
}
int64_t MemoryLimit::live_bytes() const { return count_->live; }
int64_t MemoryLimit::refused() const { return count_->refused; }
void MemoryLimit::SetBytes(int64_t bytes) { count_->limit = bytes; }
void MemoryLimit::Refuse(int64_t size) { count_->unwanted = size; }

}  // namespace fpo::train
