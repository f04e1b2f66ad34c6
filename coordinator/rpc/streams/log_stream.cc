#include "coordinator/rpc/streams/log_stream.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "coordinator/rpc/convert.h"

namespace fpo::coordinator {
namespace {

// Lines that a dying process left in its pipe arrive within this after the job's end.
constexpr absl::Duration kLastLines = absl::Seconds(2);
constexpr int32_t kTailMax = 100'000;

}  // namespace

LogStream::LogStream(const Dependencies& dependencies, const fpo::v1::LogsRequest& request)
    : AnswerStream(dependencies.pool, dependencies.streams),
      dependencies_(dependencies),
      request_(request) {
  Begin();
}

absl::Status LogStream::Open() {
  FPO_ASSIGN_OR_RETURN(const JobPtr job, dependencies_.coordinator->GetJob(request_.job_id()));
  job_id_ = job->job_id;
  query_ = FromProto(request_);
  if (request_.tail() > 0) {
    const int32_t tail = std::min(request_.tail(), kTailMax);
    FPO_ASSIGN_OR_RETURN(const uint64_t begin,
                         dependencies_.coordinator->LogTail(job_id_, query_, tail));
    query_.after = std::max(query_.after, begin);
  }
  if (!request_.follow()) return absl::OkStatus();
  JobWatch watch;
  watch.on_job = [this](const JobPtr&) { Wake(); };
  watch.on_lines = [this] { Wake(); };
  FPO_ASSIGN_OR_RETURN(watch_, dependencies_.coordinator->Watch(job_id_, std::move(watch)));
  return absl::OkStatus();
}

bool LogStream::IsComplete() const {
  if (!request_.follow()) return true;
  const absl::StatusOr<JobPtr> job = dependencies_.coordinator->GetJob(job_id_);
  return !job.ok() ||
         (IsTerminal((*job)->state) && dependencies_.wall->Now() >= *(*job)->ended + kLastLines);
}

void LogStream::Next() {
  const bool complete = IsComplete();  // checked first: no line is added afterwards
  const absl::StatusOr<std::vector<LogLine>> lines =
      dependencies_.coordinator->ReadLogs(job_id_, query_);
  if (!lines.ok()) return FinishOnce(lines.status());
  if (lines->empty()) {
    if (complete) FinishOnce(absl::OkStatus());
    return;
  }
  fpo::v1::LogsResponse message;
  for (const LogLine& line : *lines) *message.add_lines() = ToProto(line);
  query_.after = lines->back().cursor;
  Write(std::move(message));
}

void LogStream::Leave() {
  if (watch_) dependencies_.coordinator->Unwatch(job_id_, *watch_);
}

}  // namespace fpo::coordinator
