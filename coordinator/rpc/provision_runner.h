#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/observe/metrics.h"
#include "common/ticker.h"
#include "coordinator/core/lines/audit_log.h"
#include "coordinator/core/provision/provisioner.h"

namespace fpo::coordinator {

// Carries out what a Provisioner wants of one pool's engine, on a thread of its own: its programs
// may take long, and no other pool waits for them. Thread-safe.
class ProvisionRunner {
 public:
  struct Dependencies {  // not owned, outlive it
    Provisioner* provisioner;
    AuditLog* audit;
    const Clock* wall;
    const SteadyClock* steady;
  };
  ProvisionRunner(const ProvisionPool& pool, const Dependencies& dependencies);
  ~ProvisionRunner() { Stop(); }

  void Start();
  void Stop();  // kills the program that runs

 private:
  void Turn();
  void CarryOut(const ProvisionOrder& order);
  void Note(const ProvisionOrder& order, const absl::Status& status, const std::string& detail);
  Moment Now() const { return {dependencies_.wall->Now(), dependencies_.steady->Now()}; }

  const std::string pool_;
  const Dependencies dependencies_;
  std::atomic<bool> stopping_ = false;
  const std::unique_ptr<ProvisionEngine> engine_;
  std::optional<Ticker> ticker_;
};

// fpo_provision_requests_total{pool,result} and fpo_provision_workers{pool,state}, as long as both
// live.
void ShowProvisioning(MetricsRegistry* registry, const Provisioner* provisioner);

}  // namespace fpo::coordinator
