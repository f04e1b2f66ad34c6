#include "worker/core/objects/output_pusher.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/waits/steady_wait.h"
#include "common/waits/stop_wait.h"
#include "worker/core/run_checkpoints.h"

namespace fpo::worker {

OutputPusher::OutputPusher(Options options, OutputMirror* mirror, RankSink* next,
                           std::function<void(const std::string&)> note)
    : options_(options), mirror_(mirror), next_(next), note_(std::move(note)) {
  thread_ = std::thread([this] { Run(); });
}

OutputPusher::~OutputPusher() {
  stop_.request_stop();
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void OutputPusher::OnLine(int32_t rank, LineStream stream, const std::string& text) {
  next_->OnLine(rank, stream, text);
}

void OutputPusher::OnEvent(int32_t rank, const TrainEvent& event, const std::string& json) {
  if (event.kind != EventKind::kCheckpoint) return next_->OnEvent(rank, event, json);
  Held held{rank, event, json};
  // Retention may remove the folder before the event is handed on.
  if (const auto facts = DescribeCheckpoint(event.file); facts && event.digest.empty()) {
    held.event.digest = facts->digest;
    held.event.metrics.insert(facts->metrics.begin(), facts->metrics.end());
    held.json = EncodeEvent(held.event);
  }
  absl::MutexLock lock(&mutex_);
  held_.push_back(std::move(held));
}

// Everything that was held when it began is there at its end, or was removed by retention.
absl::Status OutputPusher::PushHeld(std::stop_token stop) {
  size_t count = 0;
  {
    absl::MutexLock lock(&mutex_);
    count = held_.size();
  }
  if (count == 0) return absl::OkStatus();
  absl::Status status = mirror_->Push(/*finished=*/false, stop);
  if (!status.ok()) return status;
  std::vector<Held> sent;
  {
    absl::MutexLock lock(&mutex_);
    const auto end = held_.begin() + static_cast<ptrdiff_t>(count);
    sent.assign(std::make_move_iterator(held_.begin()), std::make_move_iterator(end));
    held_.erase(held_.begin(), end);
  }
  for (const Held& each : sent) next_->OnEvent(each.rank, each.event, each.json);
  return absl::OkStatus();
}

void OutputPusher::Run() {
  Backoff backoff(options_.backoff);
  for (;;) {
    {
      absl::MutexLock lock(&mutex_);
      const auto has_work = [this] {
        mutex_.AssertHeld();
        return ending_ || !held_.empty();
      };
      mutex_.Await(absl::Condition(&has_work));
      if (ending_) return;
    }
    const absl::Status status = PushHeld(stop_.get_token());
    if (status.ok()) {
      backoff.Reset();
      continue;
    }
    note_(absl::StrCat("output: a checkpoint is not in its store yet, and does not count until it ",
                       "is: ", status.message()));
    const absl::Duration pause = backoff.Next();
    absl::MutexLock lock(&mutex_);
    AwaitFor(&mutex_, absl::Condition(&ending_), pause);
  }
}

absl::Status OutputPusher::PushUntil(absl::Time deadline, bool finished, std::stop_token stop) {
  Backoff backoff(options_.backoff);
  for (;;) {
    absl::Status status = PushHeld(stop);
    if (status.ok() && finished) status = mirror_->Push(/*finished=*/true, stop);
    const absl::Duration left = deadline - BootNow();
    if (status.ok() || !absl::IsUnavailable(status) || left <= absl::ZeroDuration()) return status;
    note_(absl::StrCat("output: its store cannot be reached, tried again: ", status.message()));
    if (!WaitUnlessStopped(stop, std::min(backoff.Next(), left))) {
      return absl::CancelledError("stopped");
    }
  }
}

absl::Status OutputPusher::Finish(bool finished, std::stop_token stop) {
  {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
  }
  // A push in progress sends what would be sent below.
  const std::stop_callback end_push(stop, [this] { stop_.request_stop(); });
  if (thread_.joinable()) thread_.join();
  const absl::Duration patience = finished ? options_.patience : options_.last_push;
  return PushUntil(BootNow() + patience, finished, stop);
}

}  // namespace fpo::worker
