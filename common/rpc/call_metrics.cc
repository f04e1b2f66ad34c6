#include "common/rpc/call_metrics.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace fpo {
namespace {

class CallMetrics {
 public:
  explicit CallMetrics(MetricsRegistry* registry) : registry_(registry) {}

  void Count(const HandledCall& call) {
    const Series series = Find(call);
    series.handled.Add();
    series.seconds.Observe(absl::ToDoubleSeconds(call.duration));
  }

 private:
  struct Series {
    Counter handled;
    Histogram seconds;
  };

  Series Find(const HandledCall& call) {
    const std::pair<std::string, int> key(absl::StrCat(call.service, "/", call.method), call.code);
    absl::MutexLock lock(&mutex_);
    const auto known = series_.find(key);
    if (known != series_.end()) return known->second;
    const MetricLabels method = {{"grpc_service", std::string(call.service)},
                                 {"grpc_method", std::string(call.method)}};
    MetricLabels with_code = method;
    with_code["grpc_code"] = absl::StatusCodeToString(static_cast<absl::StatusCode>(call.code));
    const Series series{
        registry_->AddCounter("grpc_server_handled_total", "Calls that ended, by code.", with_code),
        registry_->AddHistogram("grpc_server_handling_seconds", "From accept to the last byte.",
                                method)};
    return series_.emplace(key, series).first->second;
  }

  MetricsRegistry* const registry_;
  absl::Mutex mutex_;
  std::map<std::pair<std::string, int>, Series> series_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::function<void(const HandledCall&)> CountCalls(MetricsRegistry* registry) {
  // Shared: std::function copies.
  auto metrics = std::make_shared<CallMetrics>(registry);
  return [metrics](const HandledCall& call) { metrics->Count(call); };
}

void ShowAccessList(MetricsRegistry* registry, const AccessControl* access) {
  const Gauge ok = registry->AddGauge(
      "fpo_access_list_ok", "1: the access list in force is that of --access; 0: an older one.");
  registry->OnScrape([ok, access] { ok.Set(access->Check().ok() ? 1 : 0); });
}

}  // namespace fpo
