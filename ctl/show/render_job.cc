#include <algorithm>
#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/wire/enums.h"
#include "common/wire/wire_time.h"
#include "ctl/show/human.h"
#include "ctl/show/job_facts.h"
#include "ctl/show/render.h"

namespace fpo::ctl {
namespace {

namespace pb = fpo::v1;

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

using Numbers = google::protobuf::Map<std::string, double>;

std::string MetricSheet(const Numbers& metrics) {
  Sheet sheet(2);
  for (const auto& [name, value] : std::map(metrics.begin(), metrics.end()))
    sheet.Add(name, MetricText(name, value));
  return sheet.Render();
}

// For a job or an attempt that has begun; until now if it has not ended.
template <typename Begun>
absl::Duration Took(const Begun& what, absl::Time now) {
  return (what.has_ended() ? TimeOf(what.ended()) : now) - TimeOf(what.started());
}

std::string AttemptCount(const pb::Job& job) {
  const int count = job.attempts_size();
  return absl::StrCat(count, count == 1 ? " attempt" : " attempts");
}

std::string CacheUseText(const pb::CacheUse& cache) {
  std::string text = absl::StrCat(
      HumanPercent(cache.records_hit(), cache.records_total()), " hits (",
      HumanCount(cache.records_hit()), " of ", HumanCount(cache.records_total()), " records), ",
      HumanCount(cache.records_computed()),
      cache.records_computed() == 1 ? " forward pass" : " forward passes", " of the reference");
  if (cache.reference_seconds() > 0) {
    absl::StrAppend(&text, " in ", HumanDuration(absl::Seconds(cache.reference_seconds())));
  }
  if (cache.saved_seconds() > 0) {
    absl::StrAppend(&text, "; saved ", HumanDuration(absl::Seconds(cache.saved_seconds())));
    if (cache.saved_flops() > 0) absl::StrAppend(&text, " and ", HumanFlops(cache.saved_flops()));
  }
  return text;
}

std::string ProgressText(const pb::JobProgress& p) {
  const absl::string_view phase = TextOf(p.phase());
  if (phase.empty()) return "";
  const std::string unit = p.unit().empty() ? "" : absl::StrCat(" ", p.unit());
  if (p.total() <= 0) return std::string(phase);
  return absl::StrCat(phase, ", ", HumanCount(p.done()), " of ", HumanCount(p.total()), unit, " (",
                      HumanPercent(p.done(), p.total()), ")");
}

std::string StepText(const pb::JobProgress& p) {
  if (p.step() <= 0) return "";
  return p.total_steps() > 0
             ? absl::StrCat(HumanCount(p.step()), " of ", HumanCount(p.total_steps()))
             : HumanCount(p.step());
}

std::string JobSheet(const pb::Job& job, absl::Time now, const TextStyle& style) {
  Sheet sheet(0);
  sheet.Add("job", job.job_id());
  sheet.Add("name", job.name());
  sheet.Add("kind", KindText(job, ", "));
  sheet.Add("state", TextOf(job.state()));
  sheet.Add("reason", job.reason());
  sheet.Add("owner", job.spec().owner());
  sheet.Add("priority", absl::StrCat(job.priority()));
  if (!job.labels().empty()) {
    sheet.Add("labels", LabelsText(job.labels(), ", "));
  }
  if (!job.after_ok().empty()) sheet.Add("after success of", absl::StrJoin(job.after_ok(), ", "));
  if (!job.after_end().empty()) sheet.Add("after end of", absl::StrJoin(job.after_end(), ", "));
  if (!job.retry_of().empty()) sheet.Add("retry of", job.retry_of());
  if (!job.trace_id().empty()) sheet.Add("trace", job.trace_id());
  if (!job.excluded_workers().empty()) {
    sheet.Add("avoids",
              absl::StrCat(absl::StrJoin(job.excluded_workers(), ", "), " (failed this job)"));
  }
  sheet.Add("model", ConfigFactsOf(job).model);
  sheet.Add("submitted", LocalTime(TimeIf(job.has_submitted(), job.submitted()), style.zone));
  sheet.Add("started", LocalTime(TimeIf(job.has_started(), job.started()), style.zone));
  sheet.Add("ended", LocalTime(TimeIf(job.has_ended(), job.ended()), style.zone));
  if (job.has_started()) sheet.Add("took", HumanDuration(Took(job, now)));
  sheet.Add("phase", ProgressText(job.progress()));
  sheet.Add("step", StepText(job.progress()));
  sheet.Add("checkpoint", job.checkpoint_step() > 0
                              ? absl::StrCat("step ", HumanCount(job.checkpoint_step()))
                              : "");
  for (const pb::BadCheckpoint& bad : job.bad_checkpoints()) {
    sheet.Add("bad checkpoint", absl::StrCat("step ", bad.step(), ", found by attempt ",
                                             bad.attempt(), ": ", bad.why()));
  }
  if (job.min_slots() > 0) {
    sheet.Add("slots", absl::StrCat(SlotsText(job), ", after a loss at least ", job.min_slots()));
  }
  sheet.Add("restarts", absl::StrCat(job.restarts_used(), " counted"));
  sheet.Add("cache", job.progress().has_cache() ? CacheUseText(job.progress().cache()) : "");
  return sheet.Render();
}

std::string AttemptLines(const pb::Job& job, absl::Time now, const TextStyle& style) {
  Table table;
  table.header = {"  ATTEMPT", "EPOCH", "WORKERS", "STARTED", "TOOK", "ENDED AS"};
  table.shrinkable = {2};
  for (const pb::Attempt& a : job.attempts()) {
    const std::string took = a.has_started() ? HumanDuration(Took(a, now)) : std::string("-");
    const absl::string_view end_class = TextOf(a.end_class());
    const absl::string_view running = a.has_ended() ? "-" : "running";
    table.rows.push_back({absl::StrCat("  ", a.number()), absl::StrCat(a.epoch()),
                          absl::StrJoin(a.workers(), ","),
                          LocalTime(TimeIf(a.has_started(), a.started()), style.zone), took,
                          std::string(end_class.empty() ? running : end_class)});
  }
  std::string text = RenderTable(table, style);
  for (const pb::Attempt& a : job.attempts()) {
    if (a.end_message().empty()) continue;
    absl::StrAppend(&text, "  attempt ", a.number(), ":\n");
    for (const absl::string_view line : absl::StrSplit(a.end_message(), '\n')) {
      absl::StrAppend(&text, "    ", OneLine(line), "\n");
    }
  }
  return text;
}

// The trainer counts its own passes of the reference; the cache line counts those of the whole job.
std::string ResultSheet(const pb::Job& job) {
  std::map<std::string, std::string> result(job.result_texts().begin(), job.result_texts().end());
  for (const auto& [name, value] : job.result()) result[name] = MetricText(name, value);
  if (UsesCache(job)) {
    result.erase("reference_seconds");
    result.erase("reference_records_computed");
  }
  Sheet sheet(2);
  for (const auto& [name, text] : result) sheet.Add(name, text);
  return sheet.Render();
}

// What a run leaves there, by kind.
std::string OutputSheet(const pb::Job& job) {
  Sheet sheet(2);
  const std::string output = ConfigFactsOf(job).output;
  sheet.Add("folder", output);
  if (job.state() == pb::JOB_STATE_SUCCEEDED && !output.empty()) {
    if (job.kind() == pb::JOB_KIND_TRAIN) {
      sheet.Add("model", absl::StrCat(output, "/model"));
      sheet.Add("report", absl::StrCat(output, "/report.html"));
    }
    if (job.kind() == pb::JOB_KIND_SAE) sheet.Add("sae", absl::StrCat(output, "/params.npz"));
    if (job.kind() == pb::JOB_KIND_GENERATE) {
      sheet.Add("answers", absl::StrCat(output, "/answers.json or answers.jsonl"));
    }
    if (job.kind() == pb::JOB_KIND_JUDGE) {
      sheet.Add("verdicts", absl::StrCat(output, "/annotations.json and its .summary.json"));
    }
    const bool has_metrics = job.kind() != pb::JOB_KIND_REFERENCE &&
                             job.kind() != pb::JOB_KIND_GENERATE &&
                             job.kind() != pb::JOB_KIND_JUDGE;
    if (has_metrics) sheet.Add("metrics", absl::StrCat(output, "/metrics.jsonl"));
  }
  return sheet.Render();
}

// The last error, if there was one.
std::string LastError(const pb::Job& job) {
  for (auto a = job.attempts().rbegin(); a != job.attempts().rend(); ++a) {
    if (a->end_class() != pb::END_CLASS_UNSPECIFIED && a->end_class() != pb::END_CLASS_DONE) {
      return absl::StrCat("attempt ", a->number(), ", ", TextOf(a->end_class()), ": ",
                          a->end_message());
    }
  }
  return "";
}

}  // namespace

std::string RenderSummary(const pb::Job& job, const TextStyle& style) {
  std::string text = absl::StrCat("job ", job.job_id(), " ",
                                  ColoredState(TextOf(job.state()), TextOf(job.state()), style));
  if (job.has_started() && job.has_ended()) {
    absl::StrAppend(&text, " in ", HumanDuration(TimeOf(job.ended()) - TimeOf(job.started())));
  }
  absl::StrAppend(&text, " (", AttemptCount(job), ")\n");
  if (!job.reason().empty()) absl::StrAppend(&text, "  ", OneLine(job.reason()), "\n");
  if (UsesCache(job)) {
    absl::StrAppend(&text, "  cache: ", CacheUseText(job.progress().cache()), "\n");
  }
  absl::StrAppend(&text, ResultSheet(job));
  if (job.state() == pb::JOB_STATE_SUCCEEDED && !ConfigFactsOf(job).output.empty()) {
    absl::StrAppend(&text, OutputSheet(job));
  }
  if (job.state() == pb::JOB_STATE_FAILED) {
    absl::StrAppend(&text, "  see why: fpoctl logs ", job.job_id(), " --tail 50; fpoctl describe ",
                    job.job_id(), "\n");
  }
  return text;
}

std::string RenderJob(const pb::Job& job, absl::Time now, const TextStyle& style) {
  std::string text = JobSheet(job, now, style);
  if (!job.attempts().empty()) {
    absl::StrAppend(&text, "\nattempts\n", AttemptLines(job, now, style));
  }
  const std::string error = LastError(job);
  if (!error.empty()) absl::StrAppend(&text, "\nlast error\n  ", OneLine(error), "\n");
  if (!IsTerminal(job) && !job.progress().metrics().empty()) {
    absl::StrAppend(&text, "\nnow\n", MetricSheet(job.progress().metrics()));
  }
  const std::string result = ResultSheet(job);
  if (!result.empty()) absl::StrAppend(&text, "\nresult\n", result);
  absl::StrAppend(&text, "\noutput\n", OutputSheet(job));
  return text;
}

std::string RenderManifest(const pb::Manifest& manifest, const TextStyle& style) {
  Sheet sheet(0);
  sheet.Add("manifest", absl::BytesToHexString(manifest.manifest_id()));
  sheet.Add("name", manifest.name());
  sheet.Add("owner", manifest.owner());
  sheet.Add("records",
            absl::StrCat(HumanCount(manifest.present()), " of ", HumanCount(manifest.total()),
                         " present (", HumanPercent(manifest.present(), manifest.total()), ")"));
  sheet.Add("size", HumanBytes(static_cast<double>(manifest.bytes())));
  sheet.Add("created", LocalTime(TimeIf(manifest.has_created(), manifest.created()), style.zone));
  sheet.Add("used", LocalTime(TimeIf(manifest.has_used(), manifest.used()), style.zone));
  sheet.Add("recipe", absl::BytesToHexString(manifest.recipe_id()));
  std::string text = sheet.Render();
  for (const absl::string_view line : absl::StrSplit(manifest.recipe(), '\n', absl::SkipEmpty())) {
    absl::StrAppend(&text, "  ", OneLine(line), "\n");
  }
  return text;
}

std::string RenderCacheStats(const pb::StatsResponse& stats, const TextStyle& /*style*/) {
  Sheet sheet(0);
  sheet.Add("version", stats.version());
  sheet.Add("recipes", HumanCount(stats.recipes()));
  sheet.Add("manifests", HumanCount(stats.manifests()));
  sheet.Add("records", HumanCount(stats.records()));
  sheet.Add("size", absl::StrCat(HumanBytes(static_cast<double>(stats.bytes())), " of records, ",
                                 HumanBytes(static_cast<double>(stats.disk_bytes())), " on disk"));
  sheet.Add("claims", absl::StrCat(HumanCount(stats.claims()), " being computed"));
  sheet.Add("since start",
            absl::StrCat(HumanCount(stats.hits()), " hits, ", HumanCount(stats.misses()),
                         " misses (", HumanPercent(stats.hits(), stats.hits() + stats.misses()),
                         "), ", HumanCount(stats.stored()), " stored, ",
                         HumanCount(stats.conflicts()), " conflicts"));
  return sheet.Render();
}

}  // namespace fpo::ctl
