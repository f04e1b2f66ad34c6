#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"

namespace fpo::cache {

// Serialises puts of one key from their look-up to the end of their fsync, while puts of different
// keys run together and share the fsync. Thread-safe.
class KeyReservations {
 public:
  // Blocks until no other holder has any of the keys, in any order; a hold is all or nothing, so
  // holders never deadlock.
  class Hold {
   public:
    Hold(KeyReservations* owner, std::vector<std::string> keys);
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    KeyReservations* const owner_;
    const std::vector<std::string> keys_;
  };

 private:
  bool AllFree(const std::vector<std::string>& keys) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  absl::flat_hash_set<std::string> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::cache
