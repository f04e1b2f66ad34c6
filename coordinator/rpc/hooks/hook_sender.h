#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/http/http_transfers.h"
#include "common/observe/metrics.h"
#include "common/ticker.h"
#include "coordinator/core/hooks/hook_queue.h"

namespace fpo::coordinator {

class Coordinator;

// Tells the hooks of --webhooks what became of jobs, on a thread of its own: nothing else waits for
// a receiver. A 2xx within ten seconds is a delivery; redirects are not followed.
//
//   X-FPO-Event: failed          X-FPO-Delivery: the id, the same at every repetition
//   X-FPO-Timestamp: seconds     X-FPO-Signature: sha256=HEX, HMAC of "TIMESTAMP.BODY"
class HookSender {
 public:
  struct Dependencies {  // not owned, outlive it
    Coordinator* coordinator;
    JobStore* store;
    const Clock* wall;
    const SteadyClock* steady;
    MetricsRegistry* registry;
  };
  static absl::StatusOr<std::unique_ptr<HookSender>> Start(HookSettings settings,
                                                           const Dependencies& dependencies,
                                                           HookQueue::Options options = {});
  ~HookSender();
  void Stop();  // gives up what is being sent; it is sent again after the next start

 private:
  HookSender(HookSettings settings, const Dependencies& dependencies, HookQueue::Options options);
  Moment Now() const { return {dependencies_.wall->Now(), dependencies_.steady->Now()}; }
  void Turn();
  void Send(const HookDelivery& delivery);
  void Take(const HttpTransfers::Done& done);
  void ShowCounts(size_t hook);

  struct HookSeries {
    Counter delivered, failed, given_up;
    Gauge waiting;
    HookQueue::Counts shown;
  };

  const Dependencies dependencies_;
  HookQueue queue_;
  HttpTransfers transfers_;
  std::vector<HookSeries> series_;
  std::optional<Ticker> ticker_;  // last: its thread uses all of the above
};

}  // namespace fpo::coordinator
