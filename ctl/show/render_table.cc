#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ctl/show/human.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

constexpr size_t kShortManifestIdLength = 12;

std::string Age(const std::optional<absl::Time>& time, absl::Time now) {
  return time ? HumanDuration(now - *time) : "-";
}

std::string KindText(const JobView& job) {
  return job.method.empty() ? job.kind : absl::StrCat(job.kind, ":", job.method);
}

std::string StepText(const JobView& job) {
  const ProgressView& p = job.progress;
  if (p.step <= 0) return "-";
  return p.total_steps > 0 ? absl::StrCat(p.step, "/", p.total_steps) : absl::StrCat(p.step);
}

// Of the final evaluation, whose names have eval_ in front; without it the name is a training
// step's.
// Of held-out pairs; where there were none, of the last training step, with a mark.
std::string ResultNumber(const JobView& job, const std::string& name) {
  const auto found = job.result.find(absl::StrCat("eval_", name));
  if (found != job.result.end()) return HumanNumber(found->second);
  const auto trained = job.result.find(name);
  return trained != job.result.end() ? absl::StrCat("~", HumanNumber(trained->second)) : "-";
}

std::string DivergenceNumber(const JobView& job) {
  for (const char* name : {"divergence/relative", "divergence/chosen"}) {
    const std::string number = ResultNumber(job, name);
    if (number != "-") return number;
  }
  return "-";
}

// The train phase itself where the trainer measured it, else what the last attempt took in all.
std::string TrainTime(const JobView& job) {
  const auto measured = job.result.find("train_seconds");
  if (measured != job.result.end()) return HumanDuration(absl::Seconds(measured->second));
  if (job.attempts.empty()) return "-";
  const AttemptView& last = job.attempts.back();
  if (!last.started || !last.ended) return "-";
  return HumanDuration(*last.ended - *last.started);
}

std::string PeakMemory(const JobView& job) {
  const auto found = job.result.find("memory_peak_bytes");
  if (found != job.result.end()) return HumanBytes(found->second);
  const auto last = job.progress.metrics.find("memory_peak_bytes");
  return last != job.progress.metrics.end() ? HumanBytes(last->second) : "-";
}

// Beside the jobs, for the table of workers.
void AddLabels(const std::vector<WorkerView>& workers, Table* table) {
  constexpr std::ptrdiff_t kColumn = 7;
  table->header.insert(table->header.begin() + kColumn, "LABELS");
  for (size_t i = 0; i < workers.size(); ++i) {
    std::vector<std::string>& row = table->rows[i];
    row.insert(row.begin() + kColumn, absl::StrJoin(workers[i].labels, ","));
  }
  table->shrinkable = {9, 8, 1, 7, 0};
}

}  // namespace

std::string RenderJobList(const std::vector<JobView>& jobs, absl::Time now,
                          const TextStyle& style) {
  Table table;
  table.header = {"JOB", "NAME", "KIND", "STATE", "PHASE", "STEP", "AGE", "OWNER", "REASON"};
  table.shrinkable = {8, 1, 7};
  table.state_column = 3;
  for (const JobView& job : jobs) {
    table.rows.push_back({job.job_id, job.name, KindText(job), job.state, job.progress.phase,
                          StepText(job), Age(job.submitted, now), job.owner, job.reason});
  }
  return RenderTable(table, style);
}

std::string RenderComparison(const std::vector<JobView>& jobs, const TextStyle& style) {
  Table table;
  table.header = {"RUN",        "METHOD", "STATE",      "ACCURACY", "MARGIN",     "ENTROPY",
                  "DIVERGENCE", "HITS",   "REF PASSES", "REF TIME", "TRAIN TIME", "MEMORY"};
  table.shrinkable = {0};
  table.state_column = 2;
  for (const JobView& job : jobs) {
    const bool uses_cache = job.cache && job.cache->total > 0;
    table.rows.push_back(
        {job.name, job.method.empty() ? job.kind : job.method, job.state,
         ResultNumber(job, "rewards/accuracies"), ResultNumber(job, "rewards/margins"),
         ResultNumber(job, "entropy"), DivergenceNumber(job),
         uses_cache ? HumanPercent(job.cache->hit, job.cache->total) : "-",
         uses_cache ? HumanCount(job.cache->computed) : "-",
         uses_cache ? HumanDuration(absl::Seconds(job.cache->reference_seconds)) : "-",
         TrainTime(job), PeakMemory(job)});
  }
  const std::string text = RenderTable(table, style);
  return absl::StrContains(text, "~")
             ? absl::StrCat(text, "~ of the last training step: the run had no data.eval\n")
             : text;
}

std::string RenderWorkers(const std::vector<WorkerView>& workers, absl::Time now,
                          const TextStyle& style) {
  Table table;
  table.header = {"WORKER", "HOST", "STATE", "SLOTS", "DEVICE", "VERSION", "BEAT", "JOBS", "NOTE"};
  table.shrinkable = {8, 7, 1, 0};
  table.state_column = 2;
  for (const WorkerView& worker : workers) {
    const std::string beat = worker.last_beat ? Age(worker.last_beat, now) + " ago" : "-";
    table.rows.push_back({worker.worker_id, worker.host, worker.state,
                          absl::StrCat(worker.slots_used, "/", worker.slots), worker.device,
                          worker.version, beat, absl::StrJoin(worker.jobs, ","), worker.note});
  }
  const bool labelled = std::any_of(workers.begin(), workers.end(), [](const WorkerView& worker) {
    return !worker.labels.empty();
  });
  if (labelled) AddLabels(workers, &table);
  return RenderTable(table, style);
}

std::string RenderQueue(const std::vector<QueueRow>& rows, absl::Time now, const TextStyle& style) {
  // A wait from now on is easier to read than a time of day.
  const auto from_now = [now](const std::optional<absl::Time>& time) -> std::string {
    if (!time) return "-";
    return *time <= now ? "now" : absl::StrCat("in ", HumanDuration(*time - now));
  };
  Table table;
  table.header = {"POS", "JOB", "NAME", "STATE", "PRIO", "SLOTS", "START", "END", "REASON"};
  table.shrinkable = {8, 2};
  table.state_column = 3;
  for (const QueueRow& row : rows) {
    const bool waits = row.position > 0;
    table.rows.push_back({waits ? absl::StrCat(row.position) : "-", row.job.job_id, row.job.name,
                          row.job.state, absl::StrCat(row.job.priority), absl::StrCat(row.slots),
                          waits ? from_now(row.start) : "-", from_now(row.end), row.job.reason});
  }
  return RenderTable(table, style);
}

std::string RenderManifests(const std::vector<ManifestView>& manifests, absl::Time now,
                            const TextStyle& style) {
  Table table;
  table.header = {"MANIFEST", "NAME", "OWNER", "RECORDS", "PRESENT", "SIZE", "AGE", "USED"};
  table.shrinkable = {1, 2};
  for (const ManifestView& manifest : manifests) {
    const std::string used = manifest.used ? Age(manifest.used, now) + " ago" : "-";
    table.rows.push_back(
        {manifest.manifest_id.substr(0, kShortManifestIdLength), manifest.name, manifest.owner,
         HumanCount(manifest.total), HumanPercent(manifest.present, manifest.total),
         HumanBytes(static_cast<double>(manifest.bytes)), Age(manifest.created, now), used});
  }
  return RenderTable(table, style);
}

}  // namespace fpo::ctl
