#include "coordinator/core/workers/lease_table.h"

#include <algorithm>

namespace fpo::coordinator {

void LeaseTable::Renew(const std::string& worker, absl::Time now) {
  expiry_[worker] = std::max(now + lease_, reattach_until_);
}

void LeaseTable::Extend(absl::Duration by, absl::Time now) {
  for (auto& [worker, expiry] : expiry_) {
    if (expiry <= now - by) continue;
    expiry = std::max(expiry, std::min(expiry + by, now + lease_));
  }
}

std::vector<std::string> LeaseTable::TakeExpired(absl::Time now) {
  std::vector<std::string> expired;
  for (auto it = expiry_.begin(); it != expiry_.end();) {
    if (it->second > now) {
      ++it;
      continue;
    }
    expired.push_back(it->first);
    it = expiry_.erase(it);
  }
  return expired;
}

std::optional<absl::Time> LeaseTable::Expiry(const std::string& worker) const {
  const auto it = expiry_.find(worker);
  if (it == expiry_.end()) return std::nullopt;
  return it->second;
}

}  // namespace fpo::coordinator
