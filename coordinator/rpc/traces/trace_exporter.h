#pragma once

#include <deque>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/backoff.h"
#include "common/observe/metrics.h"
#include "coordinator/core/jobs/job.h"
#include "coordinator/core/store/job_store.h"

namespace fpo::coordinator {

// Numbers of what became of traces; all 0 where none are sent.
struct TraceMetrics {
  explicit TraceMetrics(MetricsRegistry* registry);

  Counter sent;
  Counter failed_tries;
  Counter too_many;  // dropped: that many waited already
  Counter gave_up;   // dropped: no try succeeded
  Counter refused;   // dropped: the collector would refuse it again
  Gauge waiting;
};

// Sends the traces of jobs that have ended, one after the other on a thread of its own. Nothing
// waits for it: what does not get through is dropped, counted and said. Traces that still wait when
// the program ends are lost. Thread-safe.
class TraceExporter {
 public:
  struct Options {
    size_t waiting_max = 1000;  // jobs
    int tries_max = 10;         // some six minutes
    Backoff::Options backoff = {.first = absl::Seconds(1), .most = absl::Minutes(1), .seed = 0};
    std::map<std::string, std::string> resource = {};
    std::string version = {};
  };
  // OtlpPost::Send.
  using Send = std::function<absl::StatusOr<std::string>(const std::string& body,
                                                         const std::stop_token& stop)>;

  // The store outlives it until Stop.
  TraceExporter(Options options, Send send, JobStore* store, TraceMetrics metrics);
  ~TraceExporter();  // Stop

  // Of a job that has ended. Never waits. A job that is in no trace, or in one that its caller does
  // not record, is ignored.
  void Add(const JobPtr& job);
  void Stop();  // a try that is running is cut off

 private:
  void Run();
  JobPtr Next();  // null: stopped
  absl::StatusOr<std::string> BodyOf(const Job& job) const;
  void Export(const Job& job);
  bool Pause(absl::Duration pause);  // false: stopped

  const Options options_;
  const Send send_;
  JobStore* const store_;
  const TraceMetrics metrics_;
  std::stop_source stop_;

  absl::Mutex mutex_;
  std::deque<JobPtr> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool said_full_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;  // last: it uses the others
};

}  // namespace fpo::coordinator
