#include "coordinator/rpc/pages/coordinator_metrics.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace fpo::coordinator {
namespace {

constexpr size_t kJobsShownMax = 60;  // times 12 series

const std::map<std::string, std::string>& JobHelp() {
  static const std::map<std::string, std::string> help = {
      {"fpo_job_step", "Optimiser steps done by the running job."},
      {"fpo_job_last_progress_timestamp_seconds", "When the running job last reported anything."},
      {"fpo_job_loss", "Last training loss of the running job."},
      {"fpo_job_reward_accuracy", "Last share of pairs whose chosen reward is higher."},
      {"fpo_job_reward_margin", "Last mean difference of chosen and rejected reward."},
      {"fpo_job_divergence_rejected", "Last divergence of the rejected side from the reference."},
      {"fpo_job_constraint_alpha", "Last alpha that was found for the job's constraint.budget."},
      {"fpo_job_constraint_violation", "Recent divergence above constraint.budget, a share of it."},
      {"fpo_job_contracts_broken", "Sets of features beyond their max_change, last evaluation."},
      {"fpo_job_cache_hit_ratio", "Share of reference records found in the cache."},
      {"fpo_checkpoint_last_success_timestamp_seconds",
       "When the running job's newest checkpoint was accepted."},
  };
  return help;
}

const char kPhase[] = "fpo_job_phase";
const char kPhaseHelp[] = "1 for the phase that the running job is in.";
const char kHeartbeatAge[] = "fpo_worker_beat_age_seconds";
const char kHeartbeatAgeHelp[] = "Time since the worker's last heartbeat.";
const char kClosed[] = "fpo_worker_closed";
const char kClosedHelp[] = "1 while the worker takes no jobs because something is wrong with it.";
const char kCordoned[] = "fpo_worker_cordoned";
const char kCordonedHelp[] = "1 while the worker takes no jobs because an operator said so.";

}  // namespace

CoordinatorMetrics::CoordinatorMetrics(MetricsRegistry* registry, Coordinator* coordinator)
    : registry_(registry), coordinator_(coordinator) {
  submissions_ = {{"created", {}}, {"repeated", {}}, {"invalid", {}}, {"failed", {}}};
  AddFollowers("fpo_job_submissions_total", "Submits by outcome.", "result", &submissions_);
  for (const absl::string_view name : EnumNames<EndClass>::kNames) attempts_[std::string(name)];
  AddFollowers("fpo_job_attempts_total", "Ended attempts by end class.", "class", &attempts_);
  lease_expirations_ = {{"worker", {}}};
  AddFollowers("fpo_lease_expirations_total", "Leases that ran out.", "kind", &lease_expirations_);
  fencing_rejections_ = {
      {"report", {}}, {"hello", {}}, {"checkpoint", {}}, {"store", {}}, {"lines", {}}};
  AddFollowers("fpo_fencing_rejections_total", "Rejected messages of fenced attempts.", "kind",
               &fencing_rejections_);
  log_removed_ = {{"age", {}}, {"job_limit", {}}, {"total_limit", {}}};
  AddFollowers("fpo_log_removed_bytes_total", "Log bytes removed by retention, by reason.",
               "reason", &log_removed_);
  checkpoint_corruptions_ = {{"load", {}}};
  AddFollowers("fpo_checkpoint_corruptions_total", "Checkpoints that could not be used, by where.",
               "where", &checkpoint_corruptions_);
  log_bytes_ = registry_->AddGauge("fpo_log_store_bytes", "Stored log lines of all jobs.");
  for (size_t i = 0; i < kEnumSize<JobState>; ++i) {
    const std::string state(Name(static_cast<JobState>(i)));
    jobs_[state] = registry_->AddGauge("fpo_jobs", "Jobs by state.", {{"state", state}});
  }
  for (const char* state : {"ready", "lost"}) {
    workers_[state] = registry_->AddGauge("fpo_workers", "Workers by state.", {{"state", state}});
  }
  for (const char* state : {"used", "free", "lost"}) {
    slots_[state] =
        registry_->AddGauge("fpo_slots", "Slots of all workers by state.", {{"state", state}});
  }
  queue_wait_ = registry_->AddHistogram("fpo_job_queue_wait_seconds",
                                        "From being startable to having slots.");
  read_only_ = registry_->AddGauge("fpo_store_read_only", "1 while the store refuses writes.");
  for (const auto& [name, help] : JobHelp()) registry_->DeclareGauge(name, help);
  registry_->DeclareGauge(kPhase, kPhaseHelp);
  registry_->DeclareGauge(kHeartbeatAge, kHeartbeatAgeHelp);
  registry_->DeclareGauge(kClosed, kClosedHelp);
  registry_->DeclareGauge(kCordoned, kCordonedHelp);
  registry_->OnScrape([this] { Refresh(); });
}

void CoordinatorMetrics::AddFollowers(const std::string& name, const std::string& help,
                                      const char* label, Followers* followers) {
  for (auto& [value, follower] : *followers) {
    follower.counter = registry_->AddCounter(name, help, {{label, value}});
  }
}

void CoordinatorMetrics::Follow(const std::map<std::string, int64_t>& counts,
                                Followers* followers) {
  for (auto& [value, follower] : *followers) {
    const auto it = counts.find(value);
    if (it == counts.end()) continue;
    follower.counter.Add(static_cast<double>(it->second - follower.shown));
    follower.shown = it->second;
  }
}

void CoordinatorMetrics::Refresh() {
  absl::MutexLock lock(&mu_);
  const CoordinatorStats stats = coordinator_->Collect();
  Follow(stats.counts.submissions, &submissions_);
  Follow(stats.counts.attempts, &attempts_);
  Follow(stats.counts.lease_expirations, &lease_expirations_);
  Follow(stats.counts.fencing_rejections, &fencing_rejections_);
  Follow(stats.counts.log_removed_bytes, &log_removed_);
  Follow({{"load", stats.counts.checkpoint_corruptions}}, &checkpoint_corruptions_);
  log_bytes_.Set(static_cast<double>(stats.log_bytes));
  for (double seconds : stats.counts.queue_waits_seconds) queue_wait_.Observe(seconds);
  for (size_t i = 0; i < kEnumSize<JobState>; ++i) {
    jobs_[std::string(Name(static_cast<JobState>(i)))].Set(
        static_cast<double>(stats.jobs[static_cast<size_t>(i)]));
  }
  read_only_.Set(coordinator_->Ready().ok() ? 0 : 1);
  ShowWorkers(stats);
  ShowJobs(stats);
}

void CoordinatorMetrics::ShowWorkers(const CoordinatorStats& stats) {
  std::map<std::string, double> workers = {{"ready", 0}, {"lost", 0}};
  std::map<std::string, double> slots = {{"used", 0}, {"free", 0}, {"lost", 0}};
  std::set<std::string> shown;
  for (const WorkerView& worker : stats.workers) {
    ++workers[worker.connected ? "ready" : "lost"];
    if (worker.connected) {
      slots["used"] += worker.slots_used;
      slots["free"] += std::max(0, worker.hello.slots - worker.slots_used);
    } else {
      slots["lost"] += worker.hello.slots;
    }
    const std::string& id = worker.hello.worker_id;
    shown.insert(id);
    GaugesByName& gauges = worker_series_[id];
    if (gauges.empty()) {
      gauges[kHeartbeatAge] =
          registry_->AddGauge(kHeartbeatAge, kHeartbeatAgeHelp, {{"worker", id}});
      gauges[kClosed] = registry_->AddGauge(kClosed, kClosedHelp, {{"worker", id}});
      gauges[kCordoned] = registry_->AddGauge(kCordoned, kCordonedHelp, {{"worker", id}});
    }
    const bool takes_none = worker.mode.kind != WorkerMode::Kind::kOpen;
    gauges[kClosed].Set(takes_none && worker.mode.automatic ? 1 : 0);
    gauges[kCordoned].Set(takes_none && !worker.mode.automatic ? 1 : 0);
    gauges[kHeartbeatAge].Set(absl::ToDoubleSeconds(worker.heartbeat_age));
  }
  for (const auto& [state, value] : workers) workers_[state].Set(value);
  for (const auto& [state, value] : slots) slots_[state].Set(value);
  std::vector<std::string> gone;
  for (const auto& [id, gauges] : worker_series_) {
    if (shown.count(id) == 0) gone.push_back(id);
  }
  for (const std::string& id : gone) RemoveSeries(id, &worker_series_);
}

void CoordinatorMetrics::ShowJobs(const CoordinatorStats& stats) {
  std::set<std::string> shown;
  for (const JobPtr& job : stats.with_attempt) {
    if (shown.size() == kJobsShownMax) break;
    shown.insert(job->job_id);
  }
  std::vector<std::string> gone;
  for (const auto& [id, gauges] : job_series_) {
    if (shown.count(id) == 0) gone.push_back(id);
  }
  for (const std::string& id : gone) {
    RemoveSeries(id, &job_series_);
    job_phase_.erase(id);
  }
  for (const JobPtr& job : stats.with_attempt) {
    if (shown.count(job->job_id) != 0) ShowJob(*job);
  }
}

void CoordinatorMetrics::ShowJob(const Job& job) {
  const Progress& progress = job.progress;
  SetJobGauge("fpo_job_step", job, static_cast<double>(progress.step));
  if (progress.updated != absl::InfinitePast()) {
    SetJobGauge("fpo_job_last_progress_timestamp_seconds", job,
                static_cast<double>(absl::ToUnixMillis(progress.updated)) / 1000);
  }
  const std::pair<const char*, const char*> metrics[] = {
      {"fpo_job_loss", "loss"},
      {"fpo_job_reward_accuracy", "rewards/accuracies"},
      {"fpo_job_reward_margin", "rewards/margins"},
      {"fpo_job_divergence_rejected", "divergence/rejected"},
      {"fpo_job_constraint_alpha", "constraint/alpha"},
      {"fpo_job_constraint_violation", "constraint/violation"},
      {"fpo_job_contracts_broken", "eval_contracts_broken"}};
  for (const auto& [gauge, metric] : metrics) {
    const auto it = progress.metrics.find(metric);
    if (it != progress.metrics.end()) SetJobGauge(gauge, job, it->second);
  }
  if (progress.cache.records_total > 0) {
    SetJobGauge("fpo_job_cache_hit_ratio", job,
                static_cast<double>(progress.cache.records_hit) /
                    static_cast<double>(progress.cache.records_total));
  }
  absl::Time newest = absl::InfinitePast();
  for (const Checkpoint& each : job.checkpoints) newest = std::max(newest, each.accepted);
  if (newest > absl::UnixEpoch()) {
    SetJobGauge("fpo_checkpoint_last_success_timestamp_seconds", job,
                absl::ToDoubleSeconds(newest - absl::UnixEpoch()));
  }
  SetPhase(job);
}

void CoordinatorMetrics::SetJobGauge(const std::string& name, const Job& job, double value) {
  GaugesByName& gauges = job_series_[job.job_id];
  auto it = gauges.find(name);
  if (it == gauges.end()) {
    it = gauges.emplace(name, registry_->AddGauge(name, JobHelp().at(name), {{"job", job.job_id}}))
             .first;
  }
  it->second.Set(value);
}

// One series, 1 for the phase the job is in.
void CoordinatorMetrics::SetPhase(const Job& job) {
  if (!job.progress.phase) return;
  const std::string phase(Name(*job.progress.phase));
  if (job_phase_[job.job_id] == phase) return;
  GaugesByName& gauges = job_series_[job.job_id];
  const auto old = gauges.find(kPhase);
  if (old != gauges.end()) {
    registry_->Remove(kPhase, old->second);
    gauges.erase(old);
  }
  gauges[kPhase] = registry_->AddGauge(kPhase, kPhaseHelp, {{"job", job.job_id}, {"phase", phase}});
  gauges[kPhase].Set(1);
  job_phase_[job.job_id] = phase;
}

void CoordinatorMetrics::RemoveSeries(const std::string& label_value,
                                      std::map<std::string, GaugesByName>* series) {
  for (const auto& [name, gauge] : (*series)[label_value]) registry_->Remove(name, gauge);
  series->erase(label_value);
}

}  // namespace fpo::coordinator
