#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/observe/http_server.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace fpo {

using MetricLabels = std::map<std::string, std::string>;

// Handles of one time series each. Cheap to copy, thread-safe, valid while the registry lives (a
// gauge: until it is removed). Keep them: adding again looks the series up by name and labels.
class Counter {
 public:
  Counter() = default;  // counts nowhere
  void Add(double by = 1) const;
  double Value() const;

 private:
  friend class MetricsRegistry;
  explicit Counter(prometheus::Counter* impl) : impl_(impl) {}
  prometheus::Counter* impl_ = nullptr;
};

class Gauge {
 public:
  Gauge() = default;
  void Set(double value) const;
  void Add(double by) const;
  double Value() const;

 private:
  friend class MetricsRegistry;
  explicit Gauge(prometheus::Gauge* impl) : impl_(impl) {}
  prometheus::Gauge* impl_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;
  void Observe(double value) const;

 private:
  friend class MetricsRegistry;
  explicit Histogram(prometheus::Histogram* impl) : impl_(impl) {}
  prometheus::Histogram* impl_ = nullptr;
};

// Upper bounds from 1 ms to 1,000 s, two to a decade.
std::vector<double> SecondsBuckets();

// All time series of one program. Thread-safe. A metric has one name and help; adding the same name
// and labels again returns the same series. Names and labels come only from our own code: a
// malformed one throws std::invalid_argument at start.
class MetricsRegistry {
 public:
  MetricsRegistry();
  ~MetricsRegistry();

  Counter AddCounter(const std::string& name, const std::string& help,
                     const MetricLabels& labels = {});
  Gauge AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Histogram AddHistogram(const std::string& name, const std::string& help,
                         const MetricLabels& labels = {},
                         const std::vector<double>& buckets = SecondsBuckets());
  // Declares the name in the exposition while it has no series, e.g. while no job runs.
  void DeclareGauge(const std::string& name, const std::string& help);
  // Removes a series whose label value is gone, e.g. of a finished job. Its handles must not be
  // used again.
  void Remove(const std::string& name, const Gauge& gauge);

  // Called before each exposition, on the requesting thread: for gauges that are read rather than
  // updated.
  void OnScrape(std::function<void()> refresh);

  // Prometheus text format 0.0.4.
  std::string Text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// fpo_build_info{version,commit} 1.
void AddBuildInfo(MetricsRegistry* registry, const std::string& version, const std::string& commit);

// Numbers read from a source at each scrape, as gauges named `prefix` + their name. The names are
// fixed by the first call.
using NamedNumbers = std::vector<std::pair<std::string, double>>;
void ShowNumbers(MetricsRegistry* registry, const std::string& prefix, const std::string& help,
                 std::function<NamedNumbers()> source);

// Returns why a check fails; runs on an HTTP thread and must not block for long.
using HealthCheck = std::function<absl::Status()>;

// /metrics of the registry, /healthz (the loops make progress) and /readyz (accepts work): 200
// "ok", or 503 with the reason.
HttpRoutes ObservationRoutes(MetricsRegistry* registry, HealthCheck healthy, HealthCheck ready);

}  // namespace fpo
