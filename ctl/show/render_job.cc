#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "ctl/show/human.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

// "label   value" lines under an optional title; a missing value is "-".
class Sheet {
 public:
  explicit Sheet(int indent) : indent_(indent) {}

  void Add(absl::string_view label, absl::string_view value) {
    lines_.emplace_back(std::string(label), value.empty() ? "-" : OneLine(value));
  }
  std::string Render() const {
    int width = 0;
    for (const auto& [label, value] : lines_) width = std::max(width, DisplayWidth(label));
    std::string text;
    for (const auto& [label, value] : lines_) {
      absl::StrAppend(&text, std::string(indent_, ' '), PadRight(label, width + 2), value, "\n");
    }
    return text;
  }
  bool empty() const { return lines_.empty(); }

 private:
  const int indent_;
  std::vector<std::pair<std::string, std::string>> lines_;
};

// A number of metrics.jsonl by what its name says it is.
std::string MetricText(const std::string& name, double value) {
  const auto ends = [&name](absl::string_view suffix) {
    return name.size() >= suffix.size() &&
           name.compare(name.size() - suffix.size(), suffix.size(), suffix.data()) == 0;
  };
  if (ends("_bytes")) return HumanBytes(value);
  if (ends("seconds")) return HumanDuration(absl::Seconds(value));
  const bool whole = value == static_cast<double>(static_cast<int64_t>(value));
  const bool counts =
      ends("step") || ends("steps") || ends("tokens") || ends("pairs") || ends("_computed");
  if (counts && whole) return HumanCount(static_cast<int64_t>(value));
  return HumanNumber(value);
}

std::string MetricSheet(const std::map<std::string, double>& metrics) {
  Sheet sheet(2);
  for (const auto& [name, value] : metrics) sheet.Add(name, MetricText(name, value));
  return sheet.Render();
}

std::string AttemptCount(const JobView& job) {
  const size_t count = job.attempts.size();
  return absl::StrCat(count, count == 1 ? " attempt" : " attempts");
}

std::string CacheUseText(const CacheView& cache) {
  std::string text =
      absl::StrCat(HumanPercent(cache.hit, cache.total), " hits (", HumanCount(cache.hit), " of ",
                   HumanCount(cache.total), " records), ", HumanCount(cache.computed),
                   cache.computed == 1 ? " forward pass" : " forward passes", " of the reference");
  if (cache.reference_seconds > 0) {
    absl::StrAppend(&text, " in ", HumanDuration(absl::Seconds(cache.reference_seconds)));
  }
  if (cache.saved_seconds > 0) {
    absl::StrAppend(&text, "; saved ", HumanDuration(absl::Seconds(cache.saved_seconds)));
    if (cache.saved_flops > 0) absl::StrAppend(&text, " and ", HumanFlops(cache.saved_flops));
  }
  return text;
}

std::string ProgressText(const ProgressView& p) {
  if (p.phase.empty()) return "";
  const std::string unit = p.unit.empty() ? "" : absl::StrCat(" ", p.unit);
  if (p.total <= 0) return p.phase;
  return absl::StrCat(p.phase, ", ", HumanCount(p.done), " of ", HumanCount(p.total), unit, " (",
                      HumanPercent(p.done, p.total), ")");
}

std::string StepText(const ProgressView& p) {
  if (p.step <= 0) return "";
  return p.total_steps > 0 ? absl::StrCat(HumanCount(p.step), " of ", HumanCount(p.total_steps))
                           : HumanCount(p.step);
}

std::string JobSheet(const JobView& job, absl::Time now, const TextStyle& style) {
  Sheet sheet(0);
  sheet.Add("job", job.job_id);
  sheet.Add("name", job.name);
  sheet.Add("kind", job.method.empty() ? job.kind : absl::StrCat(job.kind, ", ", job.method));
  sheet.Add("state", job.state);
  sheet.Add("reason", job.reason);
  sheet.Add("owner", job.owner);
  sheet.Add("priority", absl::StrCat(job.priority));
  if (!job.labels.empty()) {
    sheet.Add("labels", absl::StrJoin(job.labels, ", ", absl::PairFormatter("=")));
  }
  if (!job.after_ok.empty()) sheet.Add("after success of", absl::StrJoin(job.after_ok, ", "));
  if (!job.after_end.empty()) sheet.Add("after end of", absl::StrJoin(job.after_end, ", "));
  if (!job.retry_of.empty()) sheet.Add("retry of", job.retry_of);
  if (!job.excluded_workers.empty()) {
    sheet.Add("avoids",
              absl::StrCat(absl::StrJoin(job.excluded_workers, ", "), " (failed this job)"));
  }
  sheet.Add("model", job.model);
  sheet.Add("submitted", LocalTime(job.submitted, style.zone));
  sheet.Add("started", LocalTime(job.started, style.zone));
  sheet.Add("ended", LocalTime(job.ended, style.zone));
  if (job.started) sheet.Add("took", HumanDuration(job.ended.value_or(now) - *job.started));
  sheet.Add("phase", ProgressText(job.progress));
  sheet.Add("step", StepText(job.progress));
  sheet.Add("checkpoint",
            job.checkpoint_step > 0 ? absl::StrCat("step ", HumanCount(job.checkpoint_step)) : "");
  for (const std::string& bad : job.bad_checkpoints) sheet.Add("bad checkpoint", bad);
  sheet.Add("restarts", absl::StrCat(job.restarts_used, " counted"));
  sheet.Add("cache", job.cache ? CacheUseText(*job.cache) : "");
  return sheet.Render();
}

std::string AttemptLines(const JobView& job, absl::Time now, const TextStyle& style) {
  Table table;
  table.header = {"  ATTEMPT", "EPOCH", "WORKERS", "STARTED", "TOOK", "ENDED AS"};
  table.shrinkable = {2};
  for (const AttemptView& a : job.attempts) {
    const std::string took =
        a.started ? HumanDuration(a.ended.value_or(now) - *a.started) : std::string("-");
    const std::string ended = a.end_class.empty() ? (a.ended ? "-" : "running") : a.end_class;
    table.rows.push_back({absl::StrCat("  ", a.number), absl::StrCat(a.epoch),
                          absl::StrJoin(a.workers, ","), LocalTime(a.started, style.zone), took,
                          ended});
  }
  std::string text = RenderTable(table, style);
  for (const AttemptView& a : job.attempts) {
    if (a.end_message.empty()) continue;
    absl::StrAppend(&text, "  attempt ", a.number, ":\n");
    for (const absl::string_view line : absl::StrSplit(a.end_message, '\n')) {
      absl::StrAppend(&text, "    ", OneLine(line), "\n");
    }
  }
  return text;
}

// The trainer counts its own passes of the reference; the cache line counts those of the whole job.
std::string ResultSheet(const JobView& job) {
  std::map<std::string, double> result = job.result;
  if (job.cache && job.cache->total > 0) {
    result.erase("reference_seconds");
    result.erase("reference_records_computed");
  }
  return MetricSheet(result);
}

// What a run leaves there, by kind (docs of the output folder).
std::string OutputSheet(const JobView& job) {
  Sheet sheet(2);
  sheet.Add("folder", job.output);
  if (job.state == "SUCCEEDED" && !job.output.empty()) {
    if (job.kind == "train") {
      sheet.Add("model", absl::StrCat(job.output, "/model"));
      sheet.Add("report", absl::StrCat(job.output, "/report.html"));
    }
    if (job.kind == "sae") sheet.Add("sae", absl::StrCat(job.output, "/params.npz"));
    if (job.kind != "reference") sheet.Add("metrics", absl::StrCat(job.output, "/metrics.jsonl"));
  }
  return sheet.Render();
}

// The last thing that went wrong, if it did.
std::string LastError(const JobView& job) {
  for (auto a = job.attempts.rbegin(); a != job.attempts.rend(); ++a) {
    if (!a->end_class.empty() && a->end_class != "done") {
      return absl::StrCat("attempt ", a->number, ", ", a->end_class, ": ", a->end_message);
    }
  }
  return "";
}

}  // namespace

std::string RenderSummary(const JobView& job, const TextStyle& style) {
  std::string text =
      absl::StrCat("job ", job.job_id, " ", ColoredState(job.state, job.state, style));
  if (job.started && job.ended) {
    absl::StrAppend(&text, " in ", HumanDuration(*job.ended - *job.started));
  }
  absl::StrAppend(&text, " (", AttemptCount(job), ")\n");
  if (!job.reason.empty()) absl::StrAppend(&text, "  ", OneLine(job.reason), "\n");
  if (job.cache && job.cache->total > 0) {
    absl::StrAppend(&text, "  cache: ", CacheUseText(*job.cache), "\n");
  }
  absl::StrAppend(&text, ResultSheet(job));
  if (job.state == "SUCCEEDED" && !job.output.empty()) {
    absl::StrAppend(&text, OutputSheet(job));
  }
  if (job.state == "FAILED") {
    absl::StrAppend(&text, "  see why: fpoctl logs ", job.job_id, " --tail 50; fpoctl describe ",
                    job.job_id, "\n");
  }
  return text;
}

std::string RenderJob(const JobView& job, absl::Time now, const TextStyle& style) {
  std::string text = JobSheet(job, now, style);
  if (!job.attempts.empty()) {
    absl::StrAppend(&text, "\nattempts\n", AttemptLines(job, now, style));
  }
  const std::string error = LastError(job);
  if (!error.empty()) absl::StrAppend(&text, "\nlast error\n  ", OneLine(error), "\n");
  if (!job.IsTerminal() && !job.progress.metrics.empty()) {
    absl::StrAppend(&text, "\nnow\n", MetricSheet(job.progress.metrics));
  }
  if (!job.result.empty()) absl::StrAppend(&text, "\nresult\n", ResultSheet(job));
  absl::StrAppend(&text, "\noutput\n", OutputSheet(job));
  return text;
}

std::string RenderManifest(const ManifestView& manifest, const TextStyle& style) {
  Sheet sheet(0);
  sheet.Add("manifest", manifest.manifest_id);
  sheet.Add("name", manifest.name);
  sheet.Add("owner", manifest.owner);
  sheet.Add("records",
            absl::StrCat(HumanCount(manifest.present), " of ", HumanCount(manifest.total),
                         " present (", HumanPercent(manifest.present, manifest.total), ")"));
  sheet.Add("size", HumanBytes(static_cast<double>(manifest.bytes)));
  sheet.Add("created", LocalTime(manifest.created, style.zone));
  sheet.Add("used", LocalTime(manifest.used, style.zone));
  sheet.Add("recipe", manifest.recipe_id);
  std::string text = sheet.Render();
  for (const absl::string_view line : absl::StrSplit(manifest.recipe, '\n', absl::SkipEmpty())) {
    absl::StrAppend(&text, "  ", OneLine(line), "\n");
  }
  return text;
}

std::string RenderCacheStats(const CacheStatsView& stats, const TextStyle& /*style*/) {
  Sheet sheet(0);
  sheet.Add("version", stats.version);
  sheet.Add("recipes", HumanCount(stats.recipes));
  sheet.Add("manifests", HumanCount(stats.manifests));
  sheet.Add("records", HumanCount(stats.records));
  sheet.Add("size", absl::StrCat(HumanBytes(static_cast<double>(stats.bytes)), " of records, ",
                                 HumanBytes(static_cast<double>(stats.disk_bytes)), " on disk"));
  sheet.Add("claims", absl::StrCat(HumanCount(stats.claims), " being computed"));
  sheet.Add("since start",
            absl::StrCat(HumanCount(stats.hits), " hits, ", HumanCount(stats.misses), " misses (",
                         HumanPercent(stats.hits, stats.hits + stats.misses), "), ",
                         HumanCount(stats.stored), " stored, ", HumanCount(stats.conflicts),
                         " conflicts"));
  return sheet.Render();
}

}  // namespace fpo::ctl
