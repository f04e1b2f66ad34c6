#include "coordinator/rpc/streams/artifact_push.h"

#include <utility>

#include "common/error_info.h"
#include "common/rpc/grpc_status.h"
#include "coordinator/rpc/convert.h"

namespace fpo::coordinator {
namespace {

absl::Status NobodyWaits() {
  return WithErrorInfo(absl::NotFoundError("no user waits for this transfer (any more)"),
                       {.reason = ErrorReason::kUnknownTransfer});
}

absl::Status HolderWentAway() {
  return WithErrorInfo(
      absl::UnavailableError("the worker that holds the files went away"),
      {.reason = ErrorReason::kHolderGone, .hint = "fpoctl workers list; then run it again"});
}

}  // namespace

ArtifactPush::ArtifactPush(const Dependencies& dependencies)
    : dependencies_(dependencies), loop_(dependencies.pool, [this] { return Step(); }) {
  if (const absl::Status full = dependencies_.streams->Add(this); !full.ok()) End(full);
  StartRead(&incoming_);
}

void ArtifactPush::OnReadDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    read_done_ = ok;
    half_closed_ = !ok;
  }
  loop_.Wake();
}

void ArtifactPush::OnCancel() { End(absl::CancelledError("the agent went away")); }

void ArtifactPush::OnDone() {
  // Under the lock: a step that is running now must not destroy the loop before it is woken.
  absl::MutexLock lock(&mu_);
  done_ = true;
  loop_.Wake();
}

void ArtifactPush::End(const absl::Status& why) {
  {
    absl::MutexLock lock(&mu_);
    if (end_.ok()) end_ = why;
  }
  loop_.Wake();
}

absl::Status ArtifactPush::Take() {
  if (!transfer_) {
    ArtifactRelay::Transfer transfer = dependencies_.relay->Find(incoming_.transfer_id());
    if (!transfer || !transfer->SetPusher([this] { loop_.Wake(); })) return NobodyWaits();
    transfer_ = std::move(transfer);
    StartRead(&incoming_);
    return absl::OkStatus();
  }
  if (incoming_.has_error()) {
    complete_ = true;
    transfer_->EndPush(StatusOf(incoming_.error()));
    StartRead(&incoming_);
    return absl::OkStatus();
  }
  complete_ = complete_ || incoming_.data().empty();
  frame_ = ToUserProto(&incoming_);
  return absl::OkStatus();
}

void ArtifactPush::Deliver() {
  if (!frame_ || !transfer_->TryPut(&*frame_)) return;
  frame_.reset();
  StartRead(&incoming_);
}

void ArtifactPush::FinishOnce(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  if (transfer_) {
    transfer_->EndPush(complete_ && status.ok() ? absl::OkStatus() : HolderWentAway());
  }
  Finish(ToGrpcStatus(status));
}

bool ArtifactPush::Step() {
  absl::Status end;
  bool done = false;
  bool has_message = false;
  bool half_closed = false;
  {
    absl::MutexLock lock(&mu_);
    has_message = std::exchange(read_done_, false);
    half_closed = half_closed_;
    done = done_;
    end = end_;
  }
  if (done) {
    dependencies_.streams->Remove(this);
    if (transfer_) {
      transfer_->RemovePusher();
      transfer_->EndPush(HolderWentAway());
    }
    delete this;
    return false;
  }
  if (finished_) return true;
  if (end.ok() && has_message) end = Take();
  const bool unread = transfer_ && !transfer_->HasReader();
  if (end.ok() && unread && !complete_) end = NobodyWaits();
  if (!end.ok() || half_closed || unread) {
    FinishOnce(end);
  } else {
    Deliver();
  }
  return true;
}

}  // namespace fpo::coordinator
