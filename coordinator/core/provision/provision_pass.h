#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/moment.h"
#include "coordinator/core/provision/provision_pool.h"
#include "coordinator/core/provision/provision_request.h"
#include "coordinator/core/scheduling/slot_offer.h"

namespace fpo::coordinator {

// What is known of a request besides what is stored. Times of the steady clock.
struct ProvisionEntry {
  ProvisionRequest request;
  absl::Time asked = absl::InfinitePast();
  absl::Time started = absl::InfinitePast();
  int32_t connected = 0;  // of its workers, now
  bool needed = false;    // by a waiting job, in the last pass
  bool told = false;      // the engine, that it is called off
  absl::Time unneeded_since = absl::InfiniteFuture();
  absl::Time next_call = absl::InfinitePast();  // of the engine
};

// Requests for so many workers of a pool fail or succeed alike.
using ProvisionShape = std::pair<std::string, int32_t>;
inline ProvisionShape ShapeOf(const ProvisionRequest& request) {
  return {request.pool, request.workers};
}

struct ProvisionBackoff {
  int32_t failures = 0;  // in a row
  Moment until = {absl::InfinitePast(), absl::InfinitePast()};
  std::string why;
};

// One look at the queue: which waiting jobs have no place on free slots and on workers that are on
// their way, and which pool is asked for them.
class ProvisionPass {
 public:
  struct Tables {  // not owned
    const std::vector<ProvisionPool>* pools;
    std::map<std::string, ProvisionEntry>* entries;  // by request
    const std::map<ProvisionShape, ProvisionBackoff>* backoffs;
    std::map<std::string, Moment>* lacking_since;  // by job; kept from pass to pass
  };
  ProvisionPass(const Tables& tables, std::vector<SlotOffer> offers, const Moment& now)
      : tables_(tables), offers_(std::move(offers)), now_(now) {}

  // Stores the request under an id of its own; null: it could not be stored.
  std::function<ProvisionEntry*(ProvisionRequest)> on_ask;

  // Notes for people, by job.
  std::map<std::string, std::string> Run(const std::vector<const Job*>& waiting);
  // The requests that each job counts on.
  std::map<std::string, std::set<std::string>> TakeCountsOn() { return std::move(counts_on_); }

 private:
  std::string Consider(const Job& job);
  // Empty: workers were asked for; else why not.
  std::string AskFor(const Job& job);
  std::string Refusal(const ProvisionPool& pool, const Job& job) const;
  void AddComing(const ProvisionEntry& entry);
  const ProvisionPool& PoolOf(const ProvisionRequest& request) const;

  const Tables tables_;
  std::vector<SlotOffer> offers_;
  const Moment now_;
  int asks_ = 0;
  std::set<std::string> lacking_;
  std::map<std::string, std::set<std::string>> counts_on_;
};

}  // namespace fpo::coordinator
