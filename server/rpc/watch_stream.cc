#include "server/rpc/watch_stream.h"

#include <utility>

#include "common/rpc/grpc_status.h"
#include "server/rpc/convert.h"

namespace fpo::coordinator {

WatchStream::WatchStream(const Parts& parts, std::string words)
    : parts_(parts), words_(std::move(words)), loop_(parts.pool, [this] { return Step(); }) {
  parts_.streams->Add(this);
  loop_.Wake();
}

void WatchStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    write_done_ = true;
    if (!ok && end_.ok()) end_ = absl::CancelledError("the reader went away");
  }
  loop_.Wake();
}

void WatchStream::OnCancel() { End(absl::CancelledError("the call was cancelled")); }

void WatchStream::OnDone() {
  // Under the lock: a step that is running now must not destroy the loop before it is woken.
  absl::MutexLock lock(&mu_);
  done_ = true;
  loop_.Wake();
}

void WatchStream::End(const absl::Status& why) {
  {
    absl::MutexLock lock(&mu_);
    if (end_.ok()) end_ = why;
  }
  loop_.Wake();
}

void WatchStream::Subscribe() {
  const absl::StatusOr<JobPtr> job = parts_.coordinator->GetJob(words_);
  if (!job.ok()) return FinishOnce(job.status());
  job_id_ = (*job)->job_id;
  JobWatch watch;
  watch.on_job = [this](const JobPtr& changed) {
    {
      absl::MutexLock lock(&mu_);
      newest_ = changed;
    }
    loop_.Wake();
  };
  watch.on_lines = [] {};
  const absl::StatusOr<WatchId> id = parts_.coordinator->Watch(job_id_, std::move(watch));
  if (!id.ok()) return FinishOnce(id.status());
  watch_ = *id;
}

void WatchStream::FinishOnce(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  Finish(ToGrpcStatus(status));
}

bool WatchStream::Step() {
  if (job_id_.empty() && !finished_) Subscribe();
  JobPtr job;
  absl::Status end;
  bool done = false;
  {
    absl::MutexLock lock(&mu_);
    if (std::exchange(write_done_, false)) writing_ = false;
    done = done_;
    end = end_;
    if (!writing_ && end.ok() && !finished_ && !sent_last_) job = std::exchange(newest_, nullptr);
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
  } else if (sent_last_) {
    FinishOnce(absl::OkStatus());
  } else if (job) {
    *message_.mutable_job() = ToProto(*job);
    sent_last_ = IsTerminal(job->state);
    writing_ = true;
    StartWrite(&message_);
  }
  return true;
}

}  // namespace fpo::coordinator
