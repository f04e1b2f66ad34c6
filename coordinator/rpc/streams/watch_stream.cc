#include "coordinator/rpc/streams/watch_stream.h"

#include <utility>

#include "common/status_macros.h"
#include "coordinator/rpc/convert.h"

namespace fpo::coordinator {

WatchStream::WatchStream(const Dependencies& dependencies, const StreamCall& call,
                         std::string job_ref)
    : AnswerStream(dependencies.pool, dependencies.streams, call.context, kReaderIdleMax,
                   call.caller),
      coordinator_(dependencies.coordinator),
      caller_(dependencies.caller),
      job_ref_(std::move(job_ref)) {
  Begin();
}

absl::Status WatchStream::Open() {
  FPO_ASSIGN_OR_RETURN(const JobPtr job, coordinator_->GetJob(job_ref_, caller_));
  job_id_ = job->job_id;
  JobWatch watch;
  watch.on_job = [this](const JobPtr& changed) {
    {
      absl::MutexLock lock(&mu_);
      newest_ = changed;
    }
    Wake();
  };
  watch.on_lines = [] {};
  FPO_ASSIGN_OR_RETURN(config_json_, coordinator_->ReadConfig(job_id_));
  FPO_ASSIGN_OR_RETURN(watch_, coordinator_->Watch(job_id_, std::move(watch)));
  return absl::OkStatus();
}

void WatchStream::Next() {
  if (sent_last_) return FinishOnce(absl::OkStatus());
  JobPtr job;
  {
    absl::MutexLock lock(&mu_);
    job = std::exchange(newest_, nullptr);
  }
  if (!job) return;
  sent_last_ = IsTerminal(job->state);
  fpo::v1::WatchJobResponse message;
  *message.mutable_job() = ToProto(*job, config_json_);
  Write(std::move(message));
}

void WatchStream::Leave() {
  if (watch_) coordinator_->Unwatch(job_id_, *watch_);
}

}  // namespace fpo::coordinator
