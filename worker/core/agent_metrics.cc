#include "worker/core/agent_metrics.h"

#include <optional>
#include <string>

namespace fpo::worker {
namespace {

std::optional<double> Find(const TrainEvent& event, const char* name) {
  const auto found = event.metrics.find(name);
  if (found == event.metrics.end() || !(found->second >= 0)) return std::nullopt;
  return found->second;
}

}  // namespace

AgentMetrics::AgentMetrics(MetricsRegistry* registry)
    : records_computed(
          registry->AddCounter("fpo_records_computed_total",
                               "Reference records computed here and stored in the cache.")),
      records_pulled(registry->AddCounter("fpo_records_pulled_total",
                                          "Reference records downloaded from the cache.")),
      log_gap_bytes(registry->AddCounter("fpo_log_gap_bytes_total",
                                         "Bytes of events and logs dropped over the spool limit.")),
      not_finite(
          registry->AddCounter("fpo_train_not_finite_total",
                               "Ranks that ended because a loss or gradient was not finite.")),
      log_spool_bytes(registry->AddGauge(
          "fpo_log_spool_bytes", "Events and logs that the coordinator has not acknowledged.")),
      connected(registry->AddGauge("fpo_agent_connected", "1 while connected to the coordinator.")),
      wrong_store(registry->AddGauge(
          "fpo_agent_wrong_store",
          "1 while the coordinator that answers has another store than the one of these jobs.")),
      registry_(registry),
      step_seconds_(registry->AddHistogram("fpo_train_step_seconds",
                                           "Wall time of one optimiser step of a rank.")),
      pairs_(registry->AddCounter("fpo_train_pairs_total", "Preference pairs trained on.")),
      tokens_(registry->AddCounter("fpo_train_tokens_total", "Tokens trained on.")),
      cache_wait_seconds_(registry->AddCounter("fpo_train_wait_seconds_total",
                                               "Time a rank waited instead of computing.",
                                               {{"for", "cache"}})),
      slots_used_(registry->AddGauge("fpo_slots", "Slots of this worker.", {{"state", "used"}})),
      slots_free_(registry->AddGauge("fpo_slots", "Slots of this worker.", {{"state", "free"}})) {}

void AgentMetrics::OnTrainEvent(const TrainEvent& event) {
  if (event.kind != EventKind::kStep) return;
  if (const auto seconds = Find(event, "step_seconds")) step_seconds_.Observe(*seconds);
  if (const auto pairs = Find(event, "pairs")) pairs_.Add(*pairs);
  if (const auto tokens = Find(event, "tokens")) tokens_.Add(*tokens);
  if (const auto wait = Find(event, "cache_wait_seconds")) cache_wait_seconds_.Add(*wait);
}

void AgentMetrics::OnRankExit(EndClass end_class) {
  absl::MutexLock lock(&mutex_);
  auto found = rank_exits_.find(end_class);
  if (found == rank_exits_.end()) {
    const Counter counter =
        registry_->AddCounter("fpo_rank_exits_total", "Ends of trainer processes.",
                              {{"class", std::string(Name(end_class))}});
    found = rank_exits_.emplace(end_class, counter).first;
  }
  found->second.Add();
}

void AgentMetrics::SetSlots(int used, int total) {
  slots_used_.Set(used);
  slots_free_.Set(total - used);
}

}  // namespace fpo::worker
