#include "coordinator/rpc/streams/log_stream.h"

#include <algorithm>
#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "coordinator/rpc/convert.h"

namespace fpo::coordinator {
namespace {

// Lines that a dying process left in its pipe arrive within this after the job's end.
constexpr absl::Duration kLastLines = absl::Seconds(2);
constexpr int32_t kTailMax = 100'000;

}  // namespace

LogStream::LogStream(const Dependencies& dependencies, const StreamCall& call,
                     const fpo::v1::LogsRequest& request)
    : AnswerStream(dependencies.pool, dependencies.streams, call.context, kReaderIdleMax,
                   call.caller),
      dependencies_(dependencies),
      request_(request) {
  Begin();
}

absl::Status LogStream::Open() {
  FPO_ASSIGN_OR_RETURN(const JobPtr job,
                       dependencies_.coordinator->GetJob(request_.job_id(), dependencies_.caller));
  job_id_ = job->job_id;
  query_ = FromProto(request_);
  tail_.lines_left = std::min(request_.tail(), kTailMax);
  tail_.found = request_.tail() <= 0;
  if (!request_.follow()) return absl::OkStatus();
  JobWatch watch;
  watch.on_job = [this](const JobPtr&) { Wake(); };
  watch.on_lines = [this] { Wake(); };
  FPO_ASSIGN_OR_RETURN(watch_, dependencies_.coordinator->Watch(job_id_, std::move(watch)));
  return absl::OkStatus();
}

bool LogStream::IsComplete() {
  if (!request_.follow()) return true;
  const absl::StatusOr<JobPtr> job = dependencies_.coordinator->GetJob(job_id_);
  if (!job.ok()) return true;
  if (!IsTerminal((*job)->state)) return false;
  // A wall clock that was set back must not keep the reader waiting.
  if (!end_seen_) end_seen_ = BootNow();
  return dependencies_.wall->Now() >= *(*job)->ended + kLastLines ||
         BootNow() >= *end_seen_ + kLastLines;
}

bool LogStream::FindsTail() {
  if (tail_.found) return false;
  const absl::StatusOr<LogTail> tail = dependencies_.coordinator->FindTail(job_id_, query_, tail_);
  if (!tail.ok()) {
    FinishOnce(tail.status());
    return true;
  }
  tail_ = *tail;
  if (tail_.found) query_.after = std::max(query_.after, tail_.after);
  Wake();
  return true;
}

void LogStream::Next() {
  if (FindsTail()) return;
  const bool complete = IsComplete();  // checked first: no line is added afterwards
  const absl::StatusOr<LogPage> page = dependencies_.coordinator->ReadLogs(job_id_, query_);
  if (!page.ok()) return FinishOnce(page.status());
  query_.after = page->after;
  if (page->lines.empty()) {
    if (!page->at_end) {
      Wake();  // behind the steps of others
    } else if (complete) {
      FinishOnce(absl::OkStatus());
    }
    return;
  }
  fpo::v1::LogsResponse message;
  for (const LogLine& line : page->lines) *message.add_lines() = ToProto(line);
  Write(std::move(message));
}

void LogStream::Leave() {
  if (watch_) dependencies_.coordinator->Unwatch(job_id_, *watch_);
}

}  // namespace fpo::coordinator
