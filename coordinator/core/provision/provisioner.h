#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/moment.h"
#include "coordinator/core/provision/provision_engine.h"
#include "coordinator/core/provision/provision_pass.h"
#include "coordinator/core/provision/provision_pool.h"
#include "coordinator/core/provision/provision_request.h"
#include "coordinator/core/scheduling/slot_offer.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

// What an engine is to do next.
struct ProvisionOrder {
  enum class Kind { kAsk, kLook, kCallOff };
  Kind kind = Kind::kLook;
  ProvisionRequest request;
};

struct ProvisionCounts {
  std::map<std::string, int64_t> requests;  // asked | failed | served | called_off
  int64_t workers_coming = 0;
  int64_t workers_here = 0;
};

// Decides which workers are asked of which pool's engine: for jobs that wait for slots, in queue
// order, what neither free slots nor workers on their way hold; one allocation for each gang.
// Calls off what no job needs any more before its workers come; workers that came end by
// themselves when they are idle. Thread-safe; never calls an engine.
class Provisioner {
 public:
  struct Dependencies {
    JobStore* store;  // not owned
    std::function<std::string()> make_id;
  };
  // Loads what was asked for. Requests of pools that are no longer there are dropped and logged.
  static absl::StatusOr<std::unique_ptr<Provisioner>> Open(std::vector<ProvisionPool> pools,
                                                           const Dependencies& dependencies);

  // Whether some pool may ever hold the job: then it waits, instead of failing.
  bool MayHold(const Job& job) const;
  // After a scheduling pass: `waiting` are the jobs that wait for slots, in queue order, `offers`
  // all known workers. Returns, by job, what was asked for it or why nothing was, for people.
  std::map<std::string, std::string> Tick(const std::vector<const Job*>& waiting,
                                          std::vector<SlotOffer> offers, const Moment& now);
  // The requests that a job counts on, with their age.
  std::vector<std::string> Describe(const std::string& job_id, absl::Time wall) const;

  // For the thread of a pool's engine; each order is followed by the call that answers it.
  std::optional<ProvisionOrder> NextOrder(const std::string& pool, const Moment& now);
  void OnAsked(const std::string& id, const absl::StatusOr<std::string>& reference,
               const Moment& now);
  void OnLooked(const std::string& id, const absl::StatusOr<AllocationState>& state,
                const Moment& now);
  void OnCalledOff(const std::string& id, const absl::Status& status, const Moment& now);

  const std::vector<ProvisionPool>& pools() const { return pools_; }
  std::map<std::string, ProvisionCounts> Counts() const;  // by pool

 private:
  Provisioner(std::vector<ProvisionPool> pools, const Dependencies& dependencies)
      : pools_(std::move(pools)), store_(*dependencies.store), make_id_(dependencies.make_id) {}

  const ProvisionPool* PoolOf(const std::string& name) const;
  // Durably; false when the store refused, and nothing is changed.
  bool Put(ProvisionEntry* entry, const ProvisionRequest& changed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Remove(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Age(const Moment& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CountWorkers(const std::vector<SlotOffer>& offers, const Moment& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EndOverdue(const Moment& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ProvisionEntry* Ask(ProvisionRequest request, const Moment& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CallOffUnneeded(const Moment& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Its workers did not come; those that did stay.
  void Fail(ProvisionEntry* entry, const std::string& why, const Moment& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteFailure(const ProvisionRequest& request, const std::string& why, const Moment& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::vector<ProvisionPool> pools_;
  JobStore& store_;
  const std::function<std::string()> make_id_;

  mutable absl::Mutex mu_;
  std::map<std::string, ProvisionEntry> entries_ ABSL_GUARDED_BY(mu_);  // by id
  std::map<ProvisionShape, ProvisionBackoff> backoffs_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Moment> lacking_since_ ABSL_GUARDED_BY(mu_);             // by job
  std::map<std::string, std::set<std::string>> counts_on_ ABSL_GUARDED_BY(mu_);  // job: requests
  std::map<std::string, ProvisionCounts> counts_ ABSL_GUARDED_BY(mu_);           // by pool
  bool aged_ ABSL_GUARDED_BY(mu_) = false;  // loaded requests have their steady times
};

}  // namespace fpo::coordinator
