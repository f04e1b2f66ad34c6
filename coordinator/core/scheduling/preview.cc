#include "coordinator/core/scheduling/preview.h"

#include <algorithm>
#include <memory>
#include <set>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/job/job_file.h"
#include "coordinator/core/scheduling/elastic_slots.h"
#include "coordinator/core/scheduling/explain.h"
#include "coordinator/core/scheduling/placement.h"

namespace fpo::coordinator {
namespace {

std::string FitOf(const Job& job, const PreviewSnapshot& snapshot, bool has_jobs_ahead) {
  const std::vector<SlotOffer> eligible = Eligible(job, snapshot.offers);
  if (LargestGroup(eligible) < job.demand.slots) return ExplainNoPlace(job, snapshot.offers).text;
  static const std::set<std::string> kNowhere;
  const std::vector<Member> members =
      Place(job, eligible, snapshot.near == nullptr ? kNowhere : *snapshot.near);
  const DependencyState dependencies = DependenciesOf(job, snapshot.find);
  if (dependencies.kind != DependencyState::Kind::kMet) return dependencies.why;
  if (members.empty()) return ExplainNoPlace(job, snapshot.offers).text;
  std::vector<std::string> workers;
  for (const Member& member : members) workers.push_back(member.worker);
  return absl::StrCat(has_jobs_ahead ? "would fit now on " : "would start at once on ",
                      absl::StrJoin(workers, ", "));
}

// Of the same data. What cannot be read says nothing against it.
bool CoversPairsOf(const Job& earlier, const Job& job) {
  if (earlier.config_json == job.config_json) return true;
  const absl::StatusOr<JobConfig> a = ReadJobJson(earlier.config_json);
  const absl::StatusOr<JobConfig> b = ReadJobJson(job.config_json);
  if (!a.ok() || !b.ok()) return true;
  if (a->kind == "reference" && !a->max_steps.has_value()) return true;
  const auto reading = [](const JobConfig& c) {
    return std::tie(c.kind, c.max_steps, c.epochs, c.seed, c.batch.pairs, c.evaluate.pairs);
  };
  return reading(*a) == reading(*b);
}

}  // namespace

Preview PreviewJob(const Job& job, const PreviewSnapshot& snapshot) {
  Preview preview;
  std::vector<JobPtr> ahead;
  for (const JobPtr& other : snapshot.queued) {
    if (other->demand.priority < job.demand.priority) continue;
    ahead.push_back(other);
    // A job that waits for another job does not hold up others.
    preview.jobs_ahead += DependenciesOf(*other, snapshot.find).kind == DependencyState::Kind::kMet;
  }
  preview.fit = FitOf(job, snapshot, preview.jobs_ahead > 0);
  SlotQuota quota(*snapshot.quotas);
  for (const JobPtr& other : snapshot.with_attempt) quota.Use(*other, HeldSlots(*other));
  preview.quota = quota.Refusal(job).value_or("");
  ahead.push_back(std::make_shared<const Job>(job));
  const QueueView forecast = ForecastQueue(
      {snapshot.with_attempt, ahead, snapshot.offers, snapshot.times, snapshot.find, snapshot.now});
  for (const QueuePlace& place : forecast.waiting) {
    if (place.job == ahead.back()) preview.start = place.start;
  }
  preview.records = RecordsSince(snapshot.earlier, job);
  preview.takes = snapshot.times->Usual(job);
  if (snapshot.near != nullptr) {
    preview.files = absl::StrCat("held by ", absl::StrJoin(*snapshot.near, ", "));
  }
  return preview;
}

std::string RecordsSince(const JobPtr& earlier, const Job& job) {
  if (!earlier) return "";
  if (!CoversPairsOf(*earlier, job)) {
    return absl::StrCat("some present since job ", earlier->job_id,
                        ", which read other pairs of this data; how many is known after prepare");
  }
  const CacheUse& use = earlier->progress.cache;
  std::string text = absl::StrCat(use.records_hit + use.records_computed, " of ", use.records_total,
                                  " present since job ", earlier->job_id);
  const double seconds = use.saved_seconds + (use.records_computed > 0 ? use.reference_seconds : 0);
  if (seconds >= 0.1) {
    const absl::Duration took = absl::Trunc(
        absl::Seconds(seconds), seconds < 10 ? absl::Milliseconds(100) : absl::Seconds(1));
    absl::StrAppend(&text, ", about ", absl::FormatDuration(took), " of computing saved");
  }
  return text;
}

}  // namespace fpo::coordinator
