#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cache/core/collection/garbage_collector.h"
#include "cache/core/records/reference_cache.h"

namespace fpo::cache {

struct UpkeepOptions {
  int64_t scrub_bytes_per_second = 8 << 20;       // 0: no scrub
  absl::Duration scrub_every = absl::Hours(24);   // from the start of a pass to the next
  absl::Duration collect_every = absl::Hours(1);  // garbage; sooner when over the limit
  absl::Duration pace = absl::Milliseconds(250);  // of the thread
};

// The background work of a cache: rereads everything, slowly, so that damage is found before a job
// meets it, and collects garbage. Step does the work, Start gives it a thread.
class UpkeepLoop {
 public:
  UpkeepLoop(UpkeepOptions options, ReferenceCache* cache, GarbageCollector* collector);
  ~UpkeepLoop();  // Stop

  void Start();
  void Stop();  // ends after the running step

  // One portion of work at `now`, a time as BootNow: intervals do not follow the wall clock. Errors
  // are those of the store; the next step tries again.
  absl::Status Step(absl::Time now);

 private:
  absl::Status Scrub(absl::Time now);
  absl::Status Collect(absl::Time now);
  void Loop();

  const UpkeepOptions options_;
  ReferenceCache& cache_;
  GarbageCollector& collector_;

  // Used by the thread, or by the caller of Step.
  std::optional<RecordPosition> scrub_at_ = RecordPosition{};  // nullopt: this pass is over
  absl::Time next_pass_ = absl::InfinitePast();
  absl::Time last_scrub_ = absl::InfinitePast();
  absl::Time next_collection_ = absl::InfinitePast();

  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace fpo::cache
