#include "cache/core/collection/key_reservations.h"

#include <utility>

namespace fpo::cache {

KeyReservations::Hold::Hold(KeyReservations* owner, std::vector<std::string> keys)
    : owner_(owner), keys_(std::move(keys)) {
  const auto all_free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(owner_->mutex_) {
    return owner_->AllFree(keys_);
  };
  absl::MutexLock lock(&owner_->mutex_, absl::Condition(&all_free));
  owner_->held_.insert(keys_.begin(), keys_.end());
}

KeyReservations::Hold::~Hold() {
  absl::MutexLock lock(&owner_->mutex_);
  for (const std::string& key : keys_) owner_->held_.erase(key);
}

bool KeyReservations::AllFree(const std::vector<std::string>& keys) const {
  for (const std::string& key : keys) {
    if (held_.contains(key)) return false;
  }
  return true;
}

}  // namespace fpo::cache
