#include "cache_service/rpc/cache_metrics.h"

#include "absl/strings/ascii.h"

namespace fpo::cache {
namespace {

constexpr char kStreamBytes[] = "fpo_cache_stream_bytes_total";
constexpr char kStreamHelp[] = "Packed record bytes, by direction.";
constexpr char kRecords[] = "fpo_cache_records_total";
constexpr char kRecordsHelp[] =
    "Records put, by outcome; conflict: another value was there first and stays.";
constexpr char kManifests[] = "fpo_cache_manifests";
constexpr char kManifestsHelp[] = "Manifests by completeness; unknown: not counted yet.";
constexpr char kSize[] = "fpo_cache_size_bytes";
constexpr char kSizeHelp[] = "Stored bytes: of records, and of the folder's tables.";

void CatchUp(const Counter& counter, int64_t value) {
  const double missing = static_cast<double>(value) - counter.Value();
  if (missing > 0) counter.Add(missing);
}

}  // namespace

CacheMetrics::CacheMetrics(MetricsRegistry* registry, const ReferenceCache* cache)
    : registry_(registry),
      cache_(cache),
      bytes_in_(registry->AddCounter(kStreamBytes, kStreamHelp, {{"direction", "in"}})),
      bytes_out_(registry->AddCounter(kStreamBytes, kStreamHelp, {{"direction", "out"}})),
      stored_(registry->AddCounter(kRecords, kRecordsHelp, {{"result", "stored"}})),
      present_(registry->AddCounter(kRecords, kRecordsHelp, {{"result", "present"}})),
      conflict_(registry->AddCounter(kRecords, kRecordsHelp, {{"result", "conflict"}})),
      refused_(registry->AddCounter(kRecords, kRecordsHelp, {{"result", "refused"}})),
      expirations_(registry->AddCounter("fpo_cache_claim_expirations_total",
                                        "Claims that ended with records still to compute.")),
      corruptions_(registry->AddCounter("fpo_cache_corruptions_total",
                                        "Records that did not match their digest.",
                                        {{"where", "read"}})),
      claims_(registry->AddGauge("fpo_cache_claims", "Claims by state.", {{"state", "live"}})),
      claimed_keys_(registry->AddGauge("fpo_cache_claimed_records",
                                       "Records that a live claim is to compute.")),
      complete_(registry->AddGauge(kManifests, kManifestsHelp, {{"state", "complete"}})),
      incomplete_(registry->AddGauge(kManifests, kManifestsHelp, {{"state", "incomplete"}})),
      unknown_(registry->AddGauge(kManifests, kManifestsHelp, {{"state", "unknown"}})),
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
  const CacheCounters& counters = cache_->counters();
  CatchUp(stored_, counters.stored);
  CatchUp(present_, counters.present);
  CatchUp(conflict_, counters.conflict);
  CatchUp(refused_, counters.refused);
  CatchUp(corruptions_, counters.corruptions);
  CatchUp(expirations_, totals.claims_expired);
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

}  // namespace fpo::cache
