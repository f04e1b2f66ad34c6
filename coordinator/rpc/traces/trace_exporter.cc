#include "coordinator/rpc/traces/trace_exporter.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/status_macros.h"
#include "common/waits/steady_wait.h"
#include "coordinator/core/lines/progress_tracker.h"
#include "coordinator/core/traces/job_spans.h"
#include "coordinator/rpc/traces/otlp_encoding.h"

namespace fpo::coordinator {
namespace {

constexpr int32_t kEventsAtOnce = 1000;

Counter Dropped(MetricsRegistry* registry, const char* reason) {
  return registry->AddCounter("fpo_traces_dropped_total", "Traces of jobs that were not sent.",
                              {{"reason", reason}});
}

}  // namespace

TraceMetrics::TraceMetrics(MetricsRegistry* registry)
    : sent(registry->AddCounter("fpo_traces_sent_total", "Traces that a collector took.")),
      failed_tries(registry->AddCounter("fpo_trace_send_failures_total",
                                        "Tries to send a trace that failed.")),
      too_many(Dropped(registry, "too_many")),
      gave_up(Dropped(registry, "gave_up")),
      refused(Dropped(registry, "refused")),
      waiting(registry->AddGauge("fpo_traces_waiting", "Traces that are to be sent.")) {}

TraceExporter::TraceExporter(Options options, Send send, JobStore* store, TraceMetrics metrics)
    : options_(std::move(options)),
      send_(std::move(send)),
      store_(store),
      metrics_(metrics),
      thread_([this] { Run(); }) {}

TraceExporter::~TraceExporter() { Stop(); }

void TraceExporter::Stop() {
  stop_.request_stop();
  size_t lost = 0;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    lost = waiting_.size();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  if (lost == 0) return;
  Log(LogLevel::kWarning, "traces of jobs were not sent before the end",
      {{"jobs", absl::StrCat(lost)}});
}

void TraceExporter::Add(const JobPtr& job) {
  if (job->trace.trace_id.empty() || !job->trace.sampled) return;
  absl::MutexLock lock(&mutex_);
  if (waiting_.size() >= options_.waiting_max) {
    metrics_.too_many.Add();
    if (!std::exchange(said_full_, true)) {
      Log(LogLevel::kError, "too many traces wait for the collector; those of new jobs are dropped",
          {{"waiting", absl::StrCat(waiting_.size())}});
    }
    return;
  }
  said_full_ = false;
  waiting_.push_back(job);
  metrics_.waiting.Set(static_cast<double>(waiting_.size()));
}

JobPtr TraceExporter::Next() {
  absl::MutexLock lock(&mutex_);
  const auto wanted = [this]()
                          ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_ || !waiting_.empty(); };
  mutex_.Await(absl::Condition(&wanted));
  return stopping_ ? nullptr : waiting_.front();
}

void TraceExporter::Run() {
  while (const JobPtr job = Next()) {
    Export(*job);
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    waiting_.pop_front();  // counted as waiting until here
    metrics_.waiting.Set(static_cast<double>(waiting_.size()));
  }
}

bool TraceExporter::Pause(absl::Duration pause) {
  absl::MutexLock lock(&mutex_);
  return !AwaitFor(&mutex_, absl::Condition(&stopping_), pause);
}

absl::StatusOr<std::string> TraceExporter::BodyOf(const Job& job) const {
  JobSpans spans(job);
  for (uint64_t after = 0;;) {
    FPO_ASSIGN_OR_RETURN(const std::vector<EventLine> lines,
                         store_->ReadEvents(job.job_id, after, kEventsAtOnce));
    if (lines.empty()) break;
    for (const EventLine& line : lines) spans.Add(line.attempt, line.rank, EventIn(line.json));
    after = lines.back().cursor;
    if (stop_.stop_requested()) return absl::CancelledError();
  }
  return EncodeTrace(spans.Finish(), options_.resource, options_.version);
}

void TraceExporter::Export(const Job& job) {
  Backoff backoff(options_.backoff);
  absl::Status problem;
  for (int tries = 0; tries < options_.tries_max; ++tries) {
    if (tries > 0 && !Pause(backoff.Next())) return;
    const absl::StatusOr<std::string> body = BodyOf(job);
    const absl::StatusOr<std::string> answer = body.ok() ? send_(*body, stop_.get_token()) : body;
    if (answer.ok()) {
      metrics_.sent.Add();
      const std::string rejected = RejectedSpans(*answer);
      if (rejected.empty()) return;
      return Log(LogLevel::kWarning, "the collector left out parts of a trace",
                 {{"job", job.job_id}, {"why", rejected}});
    }
    problem = answer.status();
    if (absl::IsCancelled(problem)) return;
    metrics_.failed_tries.Add();
    if (absl::IsInvalidArgument(problem)) break;
  }
  (absl::IsInvalidArgument(problem) ? metrics_.refused : metrics_.gave_up).Add();
  Log(LogLevel::kError, absl::StrCat("the trace of a job is dropped: ", problem.message()),
      {{"job", job.job_id}, {"trace_id", job.trace.trace_id}});
}

}  // namespace fpo::coordinator
