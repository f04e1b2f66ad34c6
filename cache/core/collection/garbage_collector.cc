#include "cache/core/collection/garbage_collector.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/core/store/key_layout.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr int64_t kPageEntries = 1024;
constexpr int64_t kKeysAtOnce = 1 << 16;
constexpr int64_t kCompactBytes = 64 << 20;  // removed at least, before space is given back

}  // namespace

bool GarbageCollector::OverLimit() const {
  const int64_t limit = cache_.rules().evict_bytes;
  return limit > 0 && cache_.store_.Totals().bytes > limit;
}

absl::StatusOr<GcReport> GarbageCollector::Collect(bool dry_run) {
  absl::MutexLock run(&run_mutex_);
  over_limit_ = OverLimit();
  FPO_ASSIGN_OR_RETURN(const std::vector<GcCandidate> candidates, Candidates());
  GcReport report;
  report.dry_run = dry_run;
  report.manifests =
      PlanGc(candidates, cache_.rules(), cache_.store_.Totals().bytes, cache_.ages_.Now());
  if (!dry_run) FPO_RETURN_IF_ERROR(RemoveManifests(&report));
  StartSweep(true);
  absl::Status swept;
  absl::StatusOr<LiveKeys> live = CollectLiveKeys(report);
  swept = live.ok() ? Sweep(*std::move(live), &report) : live.status();
  StartSweep(false);
  FPO_RETURN_IF_ERROR(swept);
  if (dry_run) return report;
  CountRemoved(report);
  const absl::Time keep_evidence = cache_.ages_.Now() - cache_.rules().unused;
  FPO_RETURN_IF_ERROR(cache_.store_.ForgetQuarantined(keep_evidence));
  if (report.bytes_removed >= kCompactBytes) FPO_RETURN_IF_ERROR(cache_.store_.Compact());
  return report;
}

absl::StatusOr<std::vector<GcCandidate>> GarbageCollector::Candidates() {
  FPO_ASSIGN_OR_RETURN(const std::vector<ManifestStatus> manifests, cache_.ListManifests());
  std::vector<GcCandidate> candidates;
  for (const ManifestStatus& manifest : manifests) {
    absl::MutexLock lock(&cache_.mutex_);
    candidates.push_back({.header = manifest.header,
                          .bytes = manifest.bytes,
                          .claimed_records = cache_.claims_.HeldBy(manifest.header.id),
                          .accessed = cache_.manifests_.AccessedAt(manifest.header.id)});
  }
  return candidates;
}

absl::Status GarbageCollector::RemoveManifests(GcReport* report) {
  for (GcDecision& decision : report->manifests) {
    if (!decision.remove) continue;
    FPO_ASSIGN_OR_RETURN(decision.remove, RemoveOne(&decision));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> GarbageCollector::RemoveOne(GcDecision* decision) {
  const Digest& id = decision->header.id;
  absl::WriterMutexLock load(&cache_.load_mutex_);
  const absl::StatusOr<ManifestHeader> header = cache_.store_.GetManifest(id);
  if (absl::IsNotFound(header.status())) return true;
  FPO_RETURN_IF_ERROR(header.status());
  {
    absl::MutexLock lock(&cache_.mutex_);
    const GcCandidate now{.header = *header,
                          .bytes = decision->bytes,
                          .claimed_records = cache_.claims_.HeldBy(id),
                          .accessed = cache_.manifests_.AccessedAt(id)};
    const std::string protection = ProtectionOf(now, cache_.rules(), cache_.ages_.Now());
    if (!protection.empty() || header->used != decision->header.used) {
      decision->reason = protection.empty() ? "used just now" : protection;
      return false;
    }
    // From here on a job that asks for it is told that it is gone, and registers it again.
    cache_.manifests_.Remove(id);
    ++cache_.version_;
  }
  FPO_RETURN_IF_ERROR(cache_.store_.RemoveManifest(id));
  Log(LogLevel::kInfo, "manifest removed",
      {{"manifest", ToHex(id)}, {"name", header->name}, {"reason", decision->reason}});
  return true;
}

void GarbageCollector::StartSweep(bool running) {
  absl::MutexLock lock(&cache_.mutex_);
  cache_.sweeping_ = running;
  cache_.registered_.clear();
}

absl::StatusOr<LiveKeys> GarbageCollector::CollectLiveKeys(const GcReport& report) {
  std::map<Digest, bool> removed;
  for (const GcDecision& decision : report.manifests) removed[decision.header.id] = decision.remove;
  FPO_ASSIGN_OR_RETURN(const std::vector<ManifestHeader> headers, cache_.store_.ListManifests());
  LiveKeys live;
  for (const ManifestHeader& header : headers) {
    if (report.dry_run && removed[header.id]) continue;
    FPO_RETURN_IF_ERROR(AddManifest(header.id, &live));
  }
  return live;
}

absl::Status GarbageCollector::AddManifest(const Digest& id, LiveKeys* live) {
  const absl::StatusOr<ManifestHeader> header = cache_.store_.GetManifest(id);
  if (absl::IsNotFound(header.status())) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(header.status());
  // The margin-only form of a feature record is stored under its own recipe.
  std::vector<Digest> recipes = {header->recipe_id};
  const absl::StatusOr<Recipe> recipe = ParseRecipe(header->recipe);
  if (recipe.ok() && !recipe->sae.empty()) recipes.push_back(RecipeId(MarginRecipe(*recipe)));
  for (int64_t from = 0; from < header->total; from += kKeysAtOnce) {
    const absl::StatusOr<std::vector<Digest>> keys =
        cache_.store_.ManifestKeys(id, from, kKeysAtOnce);
    if (!keys.ok() && !absl::IsDataLoss(keys.status())) return keys.status();
    for (const Digest& recipe_id : recipes) {
      if (keys.ok()) {
        live->Add(recipe_id, *keys);
      } else {
        live->AddAll(recipe_id);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status GarbageCollector::Sweep(LiveKeys live, GcReport* report) {
  std::optional<RecordPosition> from = RecordPosition{};
  while (from) {
    const auto next = SweepPage(*from, &live, report);
    if (!next.ok() && !absl::IsDataLoss(next.status())) return next.status();
    from = next.ok() ? *next : SkipAhead(*from);  // what cannot be read cannot be removed
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<RecordPosition>> GarbageCollector::SweepPage(
    const RecordPosition& from, LiveKeys* live, GcReport* report) {
  absl::WriterMutexLock load(&cache_.load_mutex_);
  std::vector<Digest> registered;
  {
    absl::MutexLock lock(&cache_.mutex_);
    registered.swap(cache_.registered_);
  }
  for (const Digest& id : registered) FPO_RETURN_IF_ERROR(AddManifest(id, live));
  FPO_ASSIGN_OR_RETURN(const IndexPage page, cache_.store_.ScanIndex(from, kPageEntries));
  // Over the limit, waiting a day would keep the cache over it for a day.
  const absl::Duration age_min = over_limit_ ? absl::ZeroDuration() : cache_.rules().record_age_min;
  const absl::Time old = cache_.ages_.Now() - age_min;
  std::map<Digest, std::vector<Digest>> dead;
  for (const auto& [position, entry] : page.entries) {
    if (live->Contains(position)) continue;
    {
      absl::MutexLock lock(&cache_.mutex_);
      if (cache_.claims_.IsHeld(position.recipe_id, position.key)) continue;
    }
    if (entry.created > old) {
      ++report->young_orphans;
      continue;
    }
    dead[position.recipe_id].push_back(position.key);
    ++report->records_removed;
    report->bytes_removed += entry.size;
  }
  if (report->dry_run) return page.next;
  for (const auto& [recipe_id, keys] : dead) {
    FPO_RETURN_IF_ERROR(cache_.store_.RemoveRecords(recipe_id, keys));
  }
  return page.next;
}

void GarbageCollector::CountRemoved(const GcReport& report) {
  bool unused = false, evicted = false;
  for (const GcDecision& decision : report.manifests) {
    evicted |= decision.remove && decision.evicted;
    unused |= decision.remove && !decision.evicted;
  }
  CacheCounters& counters = cache_.mutable_counters();
  (evicted  ? counters.removed_bytes_evicted
   : unused ? counters.removed_bytes_unused
            : counters.removed_bytes_orphaned) += report.bytes_removed;
}

}  // namespace fpo::cache
