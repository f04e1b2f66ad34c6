#include "cache/rpc/cache_metrics.h"

#include "absl/strings/ascii.h"

namespace fpo::cache {
namespace {

constexpr char kStreamBytes[] = "fpo_cache_stream_bytes_total";
constexpr char kStreamHelp[] = "Packed record bytes, by direction.";
constexpr char kRecords[] = "fpo_cache_records_total";
constexpr char kRecordsHelp[] =
    "Records put, by outcome; conflict: another value was there first and stays.";
constexpr char kManifestsMetric[] = "fpo_cache_manifests";
constexpr char kManifestsHelp[] = "Manifests by completeness; unknown: not counted yet.";
constexpr char kSize[] = "fpo_cache_size_bytes";
constexpr char kCorruptions[] = "fpo_cache_corruptions_total";
constexpr char kCorruptionsHelp[] =
    "What did not match its checksum, by where it was met; none of it was given to a reader.";
constexpr char kRemoved[] = "fpo_cache_removed_bytes_total";
constexpr char kRemovedHelp[] = "Record bytes that garbage collection removed, by reason.";
constexpr char kLookups[] = "fpo_cache_lookups_total";
constexpr char kLookupsHelp[] = "Records that registered manifests asked for, by result.";
constexpr char kLimit[] = "fpo_cache_limit_bytes";
constexpr char kLimitHelp[] = "Limits on record bytes; 0: none.";
constexpr char kSizeHelp[] = "Stored bytes: of records, and of the folder's tables.";

void CatchUp(const Counter& counter, double value) {
  const double missing = value - counter.Value();
  if (missing > 0) counter.Add(missing);
}

}  // namespace

CacheMetrics::CacheMetrics(MetricsRegistry* registry, ReferenceCache* cache)
    : registry_(registry),
      cache_(cache),
      bytes_in_(registry->AddCounter(kStreamBytes, kStreamHelp, {{"direction", "in"}})),
      bytes_out_(registry->AddCounter(kStreamBytes, kStreamHelp, {{"direction", "out"}})),
      stored_(registry->AddCounter(kRecords, kRecordsHelp, {{"result", "stored"}})),
      present_(registry->AddCounter(kRecords, kRecordsHelp, {{"result", "present"}})),
      conflict_(registry->AddCounter(kRecords, kRecordsHelp, {{"result", "conflict"}})),
      refused_(registry->AddCounter(kRecords, kRecordsHelp, {{"result", "refused"}})),
      hits_(registry->AddCounter(kLookups, kLookupsHelp, {{"result", "hit"}})),
      misses_(registry->AddCounter(kLookups, kLookupsHelp, {{"result", "miss"}})),
      expirations_(registry->AddCounter("fpo_cache_claim_expirations_total",
                                        "Claims that ended with records still to compute.")),
      read_corruptions_(registry->AddCounter(kCorruptions, kCorruptionsHelp, {{"where", "read"}})),
      scrub_corruptions_(
          registry->AddCounter(kCorruptions, kCorruptionsHelp, {{"where", "scrub"}})),
      manifest_corruptions_(
          registry->AddCounter(kCorruptions, kCorruptionsHelp, {{"where", "manifest"}})),
      file_corruptions_(registry->AddCounter(kCorruptions, kCorruptionsHelp, {{"where", "file"}})),
      scrubbed_records_(registry->AddCounter("fpo_cache_scrubbed_records_total",
                                             "Records compared with their digest in passing.")),
      scrubbed_bytes_(
          registry->AddCounter("fpo_cache_scrubbed_bytes_total",
                               "Bytes of records compared with their digest in passing.")),
      removed_unused_(registry->AddCounter(kRemoved, kRemovedHelp, {{"reason", "unused"}})),
      removed_evicted_(registry->AddCounter(kRemoved, kRemovedHelp, {{"reason", "evicted"}})),
      removed_orphaned_(registry->AddCounter(kRemoved, kRemovedHelp, {{"reason", "orphaned"}})),
      saved_seconds_(registry->AddCounter(
          "fpo_cache_saved_seconds_total",
          "Compute time that hits saved, as the builders of such records measured it.")),
      saved_flops_(registry->AddCounter("fpo_cache_saved_flops_total",
                                        "Floating-point operations that hits saved.")),
      first_byte_seconds_(registry->AddHistogram("fpo_cache_stream_first_byte_seconds",
                                                 "From a pull's call to its first frame.")),
      last_scrub_(registry->AddGauge("fpo_cache_scrub_last_pass_timestamp_seconds",
                                     "When the last pass over all records ended; 0: never.")),
      quarantined_(registry->AddGauge("fpo_cache_quarantined_records",
                                      "Records out of use until they are computed again.")),
      pinned_bytes_(
          registry->AddGauge("fpo_cache_pinned_bytes", "Record bytes of pinned manifests.")),
      evict_limit_(registry->AddGauge(kLimit, kLimitHelp, {{"type", "evict"}})),
      reject_limit_(registry->AddGauge(kLimit, kLimitHelp, {{"type", "reject"}})),
      claims_(registry->AddGauge("fpo_cache_claims", "Claims by state.", {{"state", "live"}})),
      claimed_keys_(registry->AddGauge("fpo_cache_claimed_records",
                                       "Records that a live claim is to compute.")),
      complete_(registry->AddGauge(kManifestsMetric, kManifestsHelp, {{"state", "complete"}})),
      incomplete_(registry->AddGauge(kManifestsMetric, kManifestsHelp, {{"state", "incomplete"}})),
      unknown_(registry->AddGauge(kManifestsMetric, kManifestsHelp, {{"state", "unknown"}})),
      logical_bytes_(registry->AddGauge(kSize, kSizeHelp, {{"kind", "logical"}})),
      disk_bytes_(registry->AddGauge(kSize, kSizeHelp, {{"kind", "disk"}})),
      records_(registry->AddGauge("fpo_cache_stored_records", "Records in the store.")),
      read_only_(registry->AddGauge("fpo_store_read_only", "1: writes are refused.")),
      free_bytes_(registry->AddGauge("fpo_store_free_bytes", "Free on the store's file system.")) {
  registry->OnScrape([this] { Refresh(); });
}

void CacheMetrics::CountRequest(const HandledCall& call) {
  const std::pair<std::string, int> key(call.method, call.code);
  Counter counter;
  {
    absl::MutexLock lock(&mutex_);
    auto it = requests_.find(key);
    if (it == requests_.end()) {
      const std::string result =
          absl::AsciiStrToLower(absl::StatusCodeToString(static_cast<absl::StatusCode>(call.code)));
      it = requests_
               .emplace(key, registry_->AddCounter("fpo_cache_requests_total",
                                                   "Calls that ended, by operation and result.",
                                                   {{"op", key.first}, {"result", result}}))
               .first;
    }
    counter = it->second;
  }
  counter.Add();
}

void CacheMetrics::Refresh() {
  const CacheTotals totals = cache_->Totals();
  RefreshCounters(totals);
  last_scrub_.Set(static_cast<double>(cache_->counters().last_scrub_unix_s));
  quarantined_.Set(static_cast<double>(totals.store.quarantined));
  evict_limit_.Set(static_cast<double>(cache_->rules().evict_bytes));
  reject_limit_.Set(static_cast<double>(cache_->rules().reject_bytes));
  double pinned = 0;
  if (const auto owners = cache_->Owners(); owners.ok()) {
    for (const OwnerUse& use : *owners) pinned += static_cast<double>(use.pinned_bytes);
  }
  pinned_bytes_.Set(pinned);
  claims_.Set(static_cast<double>(totals.claims));
  claimed_keys_.Set(static_cast<double>(totals.claimed_keys));
  complete_.Set(static_cast<double>(totals.manifests.complete));
  incomplete_.Set(static_cast<double>(totals.manifests.incomplete));
  unknown_.Set(static_cast<double>(totals.manifests.unknown));
  logical_bytes_.Set(static_cast<double>(totals.store.bytes));
  disk_bytes_.Set(static_cast<double>(totals.store.disk_bytes));
  records_.Set(static_cast<double>(totals.store.records));
  read_only_.Set(cache_->Writable().ok() ? 0 : 1);
  free_bytes_.Set(static_cast<double>(totals.store.free_bytes));
}

void CacheMetrics::RefreshCounters(const CacheTotals& totals) {
  const CacheCounters& counters = cache_->counters();
  const auto number = [](const std::atomic<int64_t>& value) {
    return static_cast<double>(value.load());
  };
  CatchUp(stored_, number(counters.stored));
  CatchUp(present_, number(counters.present));
  CatchUp(conflict_, number(counters.conflict));
  CatchUp(refused_, number(counters.refused));
  CatchUp(hits_, number(counters.hits));
  CatchUp(misses_, number(counters.misses));
  CatchUp(read_corruptions_, number(counters.corruptions));
  CatchUp(scrub_corruptions_, number(counters.scrub_corruptions));
  CatchUp(manifest_corruptions_, number(counters.manifest_corruptions));
  CatchUp(file_corruptions_, static_cast<double>(totals.store.repairs));
  CatchUp(scrubbed_records_, number(counters.scrubbed_records));
  CatchUp(scrubbed_bytes_, number(counters.scrubbed_bytes));
  CatchUp(removed_unused_, number(counters.removed_bytes_unused));
  CatchUp(removed_evicted_, number(counters.removed_bytes_evicted));
  CatchUp(removed_orphaned_, number(counters.removed_bytes_orphaned));
  CatchUp(saved_seconds_, counters.saved_seconds);
  CatchUp(saved_flops_, counters.saved_flops);
  CatchUp(expirations_, static_cast<double>(totals.claims_expired));
}

}  // namespace fpo::cache
