#include "cache/core/collection/upkeep_loop.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cache/core/store/key_layout.h"
#include "common/clock.h"
#include "common/observe/log.h"
#include "common/status_macros.h"
#include "common/waits/stop_wait.h"

namespace fpo::cache {
namespace {

// a late step does not cause a burst of reads
constexpr absl::Duration kCatchUpMax = absl::Seconds(1);
constexpr absl::Duration kOverLimitPause = absl::Seconds(10);

}  // namespace

UpkeepLoop::UpkeepLoop(UpkeepOptions options, ReferenceCache* cache, GarbageCollector* collector)
    : options_(options), cache_(*cache), collector_(*collector) {}

UpkeepLoop::~UpkeepLoop() { Stop(); }

void UpkeepLoop::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void UpkeepLoop::Stop() {
  stop_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void UpkeepLoop::Loop() {
  bool said = false;
  do {
    const absl::Status status = Step(BootNow());
    if (!status.ok() && !said) {
      Log(LogLevel::kWarning, "upkeep of the cache fails and is tried again",
          {{"error", std::string(status.message())}});
    }
    said = !status.ok();
  } while (WaitUnlessStopped(stop_.get_token(), options_.pace));
}

absl::Status UpkeepLoop::Step(absl::Time now) {
  FPO_RETURN_IF_ERROR(Scrub(now));
  return Collect(now);
}

absl::Status UpkeepLoop::Scrub(absl::Time now) {
  if (options_.scrub_bytes_per_second <= 0) return absl::OkStatus();
  const absl::Duration since = std::clamp(now - last_scrub_, absl::ZeroDuration(), kCatchUpMax);
  last_scrub_ = now;
  if (!scrub_at_) {
    if (now < next_pass_) return absl::OkStatus();
    scrub_at_ = RecordPosition{};
  }
  if (*scrub_at_ == RecordPosition{}) next_pass_ = now + options_.scrub_every;
  auto left = static_cast<int64_t>(absl::ToDoubleSeconds(since) *
                                   static_cast<double>(options_.scrub_bytes_per_second));
  CacheCounters& counters = cache_.mutable_counters();
  while (scrub_at_ && left > 0) {
    const absl::StatusOr<CheckReport> checked = cache_.CheckRecords(*scrub_at_, left);
    if (absl::IsDataLoss(checked.status())) {  // of the index: what it names here is absent
      ++counters.scrub_corruptions;
      scrub_at_ = SkipAhead(*scrub_at_);
      continue;
    }
    FPO_RETURN_IF_ERROR(checked.status());
    const CheckReport& report = *checked;
    counters.scrubbed_records += report.records;
    counters.scrubbed_bytes += report.bytes;
    counters.scrub_corruptions += static_cast<int64_t>(report.damaged.size());
    left -= report.bytes + 1;  // quarantined entries have no bytes and still take time
    scrub_at_ = report.next;
  }
  if (!scrub_at_) counters.last_scrub_unix_s = absl::ToUnixSeconds(absl::Now());
  return absl::OkStatus();
}

absl::Status UpkeepLoop::Collect(absl::Time now) {
  const bool first = next_collection_ == absl::InfinitePast();
  if (first) next_collection_ = now + options_.collect_every;
  const bool over = collector_.OverLimit();
  if (now < next_collection_ && !over) return absl::OkStatus();
  if (over && now < next_collection_ - options_.collect_every + kOverLimitPause && !first) {
    return absl::OkStatus();  // what is left is protected: look again soon, not at once
  }
  next_collection_ = now + options_.collect_every;
  FPO_ASSIGN_OR_RETURN(const GcReport report, collector_.Collect(/*dry_run=*/false));
  const auto removed = std::count_if(report.manifests.begin(), report.manifests.end(),
                                     [](const GcDecision& decision) { return decision.remove; });
  if (removed > 0 || report.records_removed > 0) {
    Log(LogLevel::kInfo, "garbage collected",
        {{"manifests", absl::StrCat(removed)},
         {"records", absl::StrCat(report.records_removed)},
         {"bytes", absl::StrCat(report.bytes_removed)}});
  }
  return absl::OkStatus();
}

}  // namespace fpo::cache
