#include "common/observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace fpo {

struct MetricsRegistry::State {
  prometheus::Registry registry;
  absl::Mutex scraping;  // one scrape at a time: refreshers may keep state between scrapes
  mutable absl::Mutex mutex;
  std::vector<std::function<void()>> refreshers ABSL_GUARDED_BY(mutex);
  std::map<std::string, prometheus::Family<prometheus::Gauge>*> gauges ABSL_GUARDED_BY(mutex);
  std::map<std::string, std::string> declared ABSL_GUARDED_BY(mutex);  // gauge -> help
};

void Counter::Add(double by) const {
  if (impl_ != nullptr) impl_->Increment(by);
}
double Counter::Value() const { return impl_ == nullptr ? 0 : impl_->Value(); }

void Gauge::Set(double value) const {
  if (impl_ != nullptr) impl_->Set(value);
}
void Gauge::Add(double by) const {
  if (impl_ != nullptr) impl_->Increment(by);
}
double Gauge::Value() const { return impl_ == nullptr ? 0 : impl_->Value(); }

void Histogram::Observe(double value) const {
  if (impl_ != nullptr) impl_->Observe(value);
}

std::vector<double> SecondsBuckets() {
  return {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000};
}

MetricsRegistry::MetricsRegistry() : state_(std::make_unique<State>()) {}
MetricsRegistry::~MetricsRegistry() = default;

Counter MetricsRegistry::AddCounter(const std::string& name, const std::string& help,
                                    const MetricLabels& labels) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(state_->registry);
  return Counter(&family.Add(labels));
}

Gauge MetricsRegistry::AddGauge(const std::string& name, const std::string& help,
                                const MetricLabels& labels) {
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(state_->registry);
  absl::MutexLock lock(&state_->mutex);
  state_->gauges[name] = &family;
  return Gauge(&family.Add(labels));
}

Histogram MetricsRegistry::AddHistogram(const std::string& name, const std::string& help,
                                        const MetricLabels& labels,
                                        const std::vector<double>& buckets) {
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(state_->registry);
  return Histogram(&family.Add(labels, buckets));
}

void MetricsRegistry::DeclareGauge(const std::string& name, const std::string& help) {
  absl::MutexLock lock(&state_->mutex);
  state_->declared[name] = help;
}

void MetricsRegistry::Remove(const std::string& name, const Gauge& gauge) {
  absl::MutexLock lock(&state_->mutex);
  const auto family = state_->gauges.find(name);
  if (family != state_->gauges.end()) family->second->Remove(gauge.impl_);
}

void MetricsRegistry::OnScrape(std::function<void()> refresh) {
  absl::MutexLock lock(&state_->mutex);
  state_->refreshers.push_back(std::move(refresh));
}

std::string MetricsRegistry::Text() const {
  absl::MutexLock scrape(&state_->scraping);
  std::vector<std::function<void()>> refreshers;
  {
    absl::MutexLock lock(&state_->mutex);
    refreshers = state_->refreshers;
  }
  for (const auto& refresh : refreshers) refresh();
  const std::vector<prometheus::MetricFamily> families = state_->registry.Collect();
  std::string text = prometheus::TextSerializer().Serialize(families);
  absl::MutexLock lock(&state_->mutex);
  std::map<std::string, std::string> empty = state_->declared;
  for (const prometheus::MetricFamily& family : families) empty.erase(family.name);
  for (const auto& [name, help] : empty) {
    absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " gauge\n");
  }
  return text;
}

void ShowNumbers(MetricsRegistry* registry, const std::string& prefix, const std::string& help,
                 std::function<NamedNumbers()> source) {
  std::map<std::string, Gauge> gauges;
  for (const auto& [name, value] : source()) gauges[name] = registry->AddGauge(prefix + name, help);
  registry->OnScrape([gauges = std::move(gauges), source = std::move(source)] {
    for (const auto& [name, value] : source()) {
      const auto gauge = gauges.find(name);
      if (gauge != gauges.end()) gauge->second.Set(value);
    }
  });
}

void AddBuildInfo(MetricsRegistry* registry, const std::string& version,
                  const std::string& commit) {
  registry
      ->AddGauge("fpo_build_info", "Constant 1; the labels identify the build.",
                 {{"version", version}, {"commit", commit}})
      .Set(1);
}

HttpRoutes ObservationRoutes(MetricsRegistry* registry, HealthCheck healthy, HealthCheck ready) {
  const auto answer = [](const HealthCheck& check) {
    const absl::Status status = check();
    if (status.ok()) return HttpReply{.body = "ok\n"};
    return HttpReply{.status = 503, .body = absl::StrCat(status.message(), "\n")};
  };
  return {
      {"/metrics",
       [registry] {
         return HttpReply{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                          .body = registry->Text()};
       }},
      {"/healthz", [=] { return answer(healthy); }},
      {"/readyz", [=] { return answer(ready); }},
  };
}

}  // namespace fpo
