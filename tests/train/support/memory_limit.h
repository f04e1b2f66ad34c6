#pragma once

#include <cstdint>
#include <memory>
#include <set>

namespace fpo::train {

// A device of little memory: CPU tensors that this thread makes while the object lives. One that
// would bring them above `bytes` fails as on a GPU, with c10::OutOfMemoryError.
class MemoryLimit {
 public:
  static constexpr int64_t kNone = INT64_MAX;
  explicit MemoryLimit(int64_t bytes);
  ~MemoryLimit();
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  int64_t peak_bytes() const;
  std::set<int64_t> sizes() const;  // of the allocations so far
  int64_t live_bytes() const;
  int64_t refused() const;  // allocations
  // From now on.
  void SetBytes(int64_t bytes);
  // Allocations of exactly this size are refused. Other threads that hold a thread's tensors a
  // while longer, as those of a collective do, change its peak but not its sizes.
  void Refuse(int64_t size);

  struct Count;

 private:
  std::shared_ptr<Count> count_;
};

}  // namespace fpo::train
