#include "worker/core/device/gpu_metrics.h"

namespace fpo::worker {
namespace {

constexpr char kHeld[] = "fpo_gpu_held";
constexpr char kAnswers[] = "fpo_gpu_driver_answers";
constexpr char kAnswersHelp[] = "0 while the driver has not answered for 30 s.";

const std::map<std::string, std::string>& Help() {
  static const std::map<std::string, std::string> help = {
      {"fpo_gpu_utilisation_ratio", "Share of the last moments in which a kernel ran."},
      {"fpo_gpu_memory_total_bytes", "Memory of the GPU."},
      {"fpo_gpu_memory_used_bytes", "Memory in use on the GPU, by all processes."},
      {"fpo_gpu_power_watts", "What the GPU draws."},
      {"fpo_gpu_power_limit_watts", "What the GPU may draw."},
      {"fpo_gpu_temperature_celsius", "Temperature of the GPU's core."},
      {"fpo_gpu_sm_clock_hertz", "Clock of the multiprocessors."},
      {"fpo_gpu_throttled", "1 while clocks are held down for this reason."},
      {"fpo_gpu_ecc_errors", "Memory errors, since the driver was loaded or the GPU was made."},
      {"fpo_gpu_remapped_rows", "Rows of memory replaced by spare ones, by kind of error."},
      {"fpo_gpu_row_remapping_pending", "1: rows are replaced at the next reset of the GPU."},
      {"fpo_gpu_row_remapping_failed", "1: a row could not be replaced."},
      {"fpo_gpu_xid_errors", "Errors that the driver reported since the agent began, by XID."},
      {kHeld, "1 while an attempt holds the slot of the GPU."},
  };
  return help;
}

}  // namespace

GpuMetrics::GpuMetrics(MetricsRegistry* registry, Source source)
    : registry_(registry), source_(std::move(source)) {
  for (const auto& [name, help] : Help()) registry_->DeclareGauge(name, help);
  registry_->DeclareGauge(kAnswers, kAnswersHelp);
  if (source_.watch == nullptr) return;
  answers_ = registry_->AddGauge(kAnswers, kAnswersHelp);
  registry_->OnScrape([this] { Refresh(); });
}

void GpuMetrics::Refresh() {
  absl::MutexLock lock(&mutex_);
  answers_->Set(source_.watch->DriverAnswers() ? 1 : 0);
  const auto samples = source_.watch->Latest();
  std::set<Series> shown;
  if (samples.has_value()) {
    const std::set<std::string> held = source_.held();
    std::map<std::string, std::string> seen;  // index by UUID
    for (const GpuSample& sample : *samples) {
      const std::string& uuid = sample.labels.at("uuid");
      if (source_.uuids.count(uuid) == 0) continue;
      seen[uuid] = sample.labels.at("gpu");
      Show(sample, &shown);
    }
    for (const auto& [uuid, index] : seen) {
      const double is_held = held.count(uuid) > 0 ? 1 : 0;
      Show({kHeld, {{"gpu", index}, {"uuid", uuid}}, is_held}, &shown);
    }
  }
  for (auto it = gauges_.begin(); it != gauges_.end();) {
    if (shown.count(it->first) > 0) {
      ++it;
      continue;
    }
    registry_->Remove(it->first.first, it->second);
    it = gauges_.erase(it);
  }
}

void GpuMetrics::Show(const GpuSample& sample, std::set<Series>* shown) {
  Series series{sample.series, sample.labels};
  auto found = gauges_.find(series);
  if (found == gauges_.end()) {
    const auto help = Help().find(sample.series);
    if (help == Help().end()) return;  // nobody reads it
    const Gauge gauge = registry_->AddGauge(sample.series, help->second, sample.labels);
    found = gauges_.emplace(series, gauge).first;
  }
  found->second.Set(sample.value);
  shown->insert(std::move(series));
}

}  // namespace fpo::worker
