#include "server/rpc/log_stream.h"

#include <algorithm>
#include <utility>

#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "server/rpc/convert.h"

namespace fpo::coordinator {
namespace {

// Lines that a dying process left in its pipe arrive within this after the job's end.
constexpr absl::Duration kLastLines = absl::Seconds(2);
constexpr int32_t kTailMax = 100'000;

}  // namespace

LogStream::LogStream(const Parts& parts, const fpo::v1::LogsRequest& request)
    : parts_(parts), request_(request), loop_(parts.pool, [this] { return Step(); }) {
  parts_.streams->Add(this);
  loop_.Wake();
}

void LogStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    write_done_ = true;
    if (!ok && end_.ok()) end_ = absl::CancelledError("the reader went away");
  }
  loop_.Wake();
}

void LogStream::OnCancel() { End(absl::CancelledError("the call was cancelled")); }

void LogStream::OnDone() {
  // Under the lock: a step that is running now must not destroy the loop before it is woken.
  absl::MutexLock lock(&mu_);
  done_ = true;
  loop_.Wake();
}

void LogStream::End(const absl::Status& why) {
  {
    absl::MutexLock lock(&mu_);
    if (end_.ok()) end_ = why;
  }
  loop_.Wake();
}

absl::Status LogStream::Open() {
  FPO_ASSIGN_OR_RETURN(const JobPtr job, parts_.coordinator->GetJob(request_.job_id()));
  job_id_ = job->job_id;
  query_ = FromProto(request_);
  if (request_.tail() > 0) {
    const int32_t tail = std::min(request_.tail(), kTailMax);
    FPO_ASSIGN_OR_RETURN(const uint64_t begin, parts_.coordinator->LogTail(job_id_, query_, tail));
    query_.after = std::max(query_.after, begin);
  }
  if (!request_.follow()) return absl::OkStatus();
  JobWatch watch;
  watch.on_job = [this](const JobPtr&) { loop_.Wake(); };
  watch.on_lines = [this] { loop_.Wake(); };
  FPO_ASSIGN_OR_RETURN(watch_, parts_.coordinator->Watch(job_id_, std::move(watch)));
  return absl::OkStatus();
}

bool LogStream::IsComplete() const {
  if (!request_.follow()) return true;
  const absl::StatusOr<JobPtr> job = parts_.coordinator->GetJob(job_id_);
  return !job.ok() ||
         (IsTerminal((*job)->state) && parts_.wall->Now() >= *(*job)->ended + kLastLines);
}

void LogStream::WriteNext() {
  const bool complete = IsComplete();  // asked first: no line is added after it is
  const absl::StatusOr<std::vector<LogLine>> lines = parts_.coordinator->ReadLogs(job_id_, query_);
  if (!lines.ok()) return FinishOnce(lines.status());
  if (lines->empty()) {
    if (complete) FinishOnce(absl::OkStatus());
    return;
  }
  message_.Clear();
  for (const LogLine& line : *lines) *message_.add_lines() = ToProto(line);
  query_.after = lines->back().cursor;
  writing_ = true;
  StartWrite(&message_);
}

void LogStream::FinishOnce(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  Finish(ToGrpcStatus(status));
}

bool LogStream::Step() {
  if (job_id_.empty() && !finished_) {
    const absl::Status opened = Open();
    if (!opened.ok()) FinishOnce(opened);
  }
  absl::Status end;
  bool done = false;
  {
    absl::MutexLock lock(&mu_);
    if (std::exchange(write_done_, false)) writing_ = false;
    done = done_;
    end = end_;
  }
  if (done) {
    parts_.streams->Remove(this);
    if (watch_) parts_.coordinator->Unwatch(job_id_, *watch_);
    delete this;
    return false;
  }
  if (writing_ || finished_) return true;
  if (!end.ok()) {
    FinishOnce(end);
  } else {
    WriteNext();
  }
  return true;
}

}  // namespace fpo::coordinator
