#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/wire/enums.h"
#include "common/wire/wire_time.h"
#include "ctl/show/human.h"
#include "ctl/show/job_facts.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

constexpr size_t kShortManifestIdLength = 12;

std::string Age(const std::optional<absl::Time>& time, absl::Time now) {
  return time ? HumanDuration(now - *time) : "-";
}

std::string StepText(const pb::Job& job) {
  const pb::JobProgress& p = job.progress();
  if (p.step() <= 0) return "-";
  return p.total_steps() > 0 ? absl::StrCat(p.step(), "/", p.total_steps())
                             : absl::StrCat(p.step());
}

// From the final evaluation, whose names have the prefix eval_; without held-out pairs from the
// last training step, with a mark.
std::string ResultNumber(const pb::Job& job, const std::string& name) {
  const auto found = job.result().find(absl::StrCat("eval_", name));
  if (found != job.result().end()) return HumanNumber(found->second);
  const auto trained = job.result().find(name);
  return trained != job.result().end() ? absl::StrCat("~", HumanNumber(trained->second)) : "-";
}

std::string DivergenceNumber(const pb::Job& job) {
  for (const char* name : {"divergence/relative", "divergence/chosen"}) {
    const std::string number = ResultNumber(job, name);
    if (number != "-") return number;
  }
  return "-";
}

// The train phase alone if the trainer measured it, else the whole last attempt.
std::string TrainTime(const pb::Job& job) {
  const auto measured = job.result().find("train_seconds");
  if (measured != job.result().end()) return HumanDuration(absl::Seconds(measured->second));
  if (job.attempts().empty()) return "-";
  const pb::Attempt& last = *job.attempts().rbegin();
  if (!last.has_started() || !last.has_ended()) return "-";
  return HumanDuration(TimeOf(last.ended()) - TimeOf(last.started()));
}

std::string PeakMemory(const pb::Job& job) {
  const auto found = job.result().find("memory_peak_bytes");
  if (found != job.result().end()) return HumanBytes(found->second);
  const auto last = job.progress().metrics().find("memory_peak_bytes");
  return last != job.progress().metrics().end() ? HumanBytes(last->second) : "-";
}

// "cuda", or "cuda: 8 x NVIDIA H100 80GB HBM3, 80 GiB".
std::string DeviceText(const pb::Worker& worker) {
  const absl::string_view kind = TextOf(worker.device());
  if (worker.devices().empty()) return std::string(kind);
  const pb::Device& first = worker.devices(0);
  bool same = true;
  for (const pb::Device& device : worker.devices()) same &= device.name() == first.name();
  return absl::StrCat(kind, ": ", worker.devices_size(), " x ", same ? first.name() : "GPUs", ", ",
                      HumanBytes(static_cast<double>(first.memory_bytes())));
}

// Beside the jobs, for the table of workers.
void AddLabels(const std::vector<pb::Worker>& workers, Table* table) {
  constexpr std::ptrdiff_t kColumn = 7;
  table->header.insert(table->header.begin() + kColumn, "LABELS");
  for (size_t i = 0; i < workers.size(); ++i) {
    std::vector<std::string>& row = table->rows[i];
    row.insert(row.begin() + kColumn, LabelsText(workers[i].labels(), ","));
  }
  table->shrinkable = {9, 8, 1, 7, 0};
}

}  // namespace

std::string RenderJobList(const std::vector<pb::Job>& jobs, absl::Time now,
                          const TextStyle& style) {
  Table table;
  table.header = {"JOB", "NAME", "KIND", "STATE", "PHASE", "STEP", "AGE", "OWNER", "REASON"};
  table.shrinkable = {8, 1, 7};
  table.state_column = 3;
  for (const pb::Job& job : jobs) {
    table.rows.push_back(
        {job.job_id(), job.name(), KindText(job, ":"), std::string(TextOf(job.state())),
         std::string(TextOf(job.progress().phase())), StepText(job),
         Age(TimeIf(job.has_submitted(), job.submitted()), now), job.spec().owner(), job.reason()});
  }
  return RenderTable(table, style);
}

std::string RenderComparison(const std::vector<pb::Job>& jobs, const TextStyle& style) {
  Table table;
  table.header = {"RUN",        "METHOD", "STATE",      "ACCURACY", "MARGIN",     "ENTROPY",
                  "DIVERGENCE", "HITS",   "REF PASSES", "REF TIME", "TRAIN TIME", "MEMORY"};
  table.shrinkable = {0};
  table.state_column = 2;
  for (const pb::Job& job : jobs) {
    const bool uses_cache = UsesCache(job);
    const pb::CacheUse& cache = job.progress().cache();
    table.rows.push_back(
        {job.name(), job.method().empty() ? std::string(TextOf(job.kind())) : job.method(),
         std::string(TextOf(job.state())), ResultNumber(job, "rewards/accuracies"),
         ResultNumber(job, "rewards/margins"), ResultNumber(job, "entropy"), DivergenceNumber(job),
         uses_cache ? HumanPercent(cache.records_hit(), cache.records_total()) : "-",
         uses_cache ? HumanCount(cache.records_computed()) : "-",
         uses_cache ? HumanDuration(absl::Seconds(cache.reference_seconds())) : "-", TrainTime(job),
         PeakMemory(job)});
  }
  const std::string text = RenderTable(table, style);
  return absl::StrContains(text, "~")
             ? absl::StrCat(text, "~ of the last training step: the run had no data.eval\n")
             : text;
}

std::string RenderWorkers(const std::vector<pb::Worker>& workers, absl::Time now,
                          const TextStyle& style) {
  Table table;
  table.header = {"WORKER", "HOST", "STATE", "SLOTS", "DEVICE", "VERSION", "BEAT", "JOBS", "NOTE"};
  table.shrinkable = {8, 7, 1, 0};
  table.state_column = 2;
  for (const pb::Worker& worker : workers) {
    const std::string beat =
        worker.has_last_beat() ? Age(TimeOf(worker.last_beat()), now) + " ago" : "-";
    table.rows.push_back({worker.worker_id(), worker.host(), std::string(TextOf(worker.state())),
                          absl::StrCat(worker.slots_used(), "/", worker.slots()),
                          DeviceText(worker), worker.version(), beat,
                          absl::StrJoin(worker.jobs(), ","), worker.note()});
  }
  const bool labelled = std::any_of(workers.begin(), workers.end(), [](const pb::Worker& worker) {
    return !worker.labels().empty();
  });
  if (labelled) AddLabels(workers, &table);
  return RenderTable(table, style);
}

std::string RenderQueue(const std::vector<pb::QueuedJob>& rows, absl::Time now,
                        const TextStyle& style) {
  // A wait from now on is easier to read than a time of day.
  const auto from_now = [now](const std::optional<absl::Time>& time) -> std::string {
    if (!time) return "-";
    return *time <= now ? "now" : absl::StrCat("in ", HumanDuration(*time - now));
  };
  Table table;
  table.header = {"POS", "JOB", "NAME", "STATE", "PRIO", "SLOTS", "START", "END", "REASON"};
  table.shrinkable = {8, 2};
  table.state_column = 3;
  for (const pb::QueuedJob& row : rows) {
    const bool waits = row.position() > 0;
    table.rows.push_back(
        {waits ? absl::StrCat(row.position()) : "-", row.job().job_id(), row.job().name(),
         std::string(TextOf(row.job().state())), absl::StrCat(row.job().priority()),
         SlotsText(row.job()),
         waits ? from_now(TimeIf(row.has_start_estimate(), row.start_estimate())) : "-",
         from_now(TimeIf(row.has_end_estimate(), row.end_estimate())), row.job().reason()});
  }
  return RenderTable(table, style);
}

std::string RenderManifests(const std::vector<pb::Manifest>& manifests, absl::Time now,
                            const TextStyle& style) {
  Table table;
  table.header = {"MANIFEST", "NAME", "OWNER", "RECORDS", "PRESENT", "SIZE", "AGE", "USED"};
  table.shrinkable = {1, 2};
  for (const pb::Manifest& manifest : manifests) {
    const std::string used = manifest.has_used() ? Age(TimeOf(manifest.used()), now) + " ago" : "-";
    table.rows.push_back(
        {absl::BytesToHexString(manifest.manifest_id()).substr(0, kShortManifestIdLength),
         manifest.name(), manifest.owner(), HumanCount(manifest.total()),
         HumanPercent(manifest.present(), manifest.total()),
         HumanBytes(static_cast<double>(manifest.bytes())),
         Age(TimeIf(manifest.has_created(), manifest.created()), now), used});
  }
  return RenderTable(table, style);
}

}  // namespace fpo::ctl
