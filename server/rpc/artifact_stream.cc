#include "server/rpc/artifact_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"
#include "server/rpc/convert.h"

namespace fpo::coordinator {

ArtifactStream::ArtifactStream(const Parts& parts, grpc::CallbackServerContext* context,
                               const fpo::v1::ReadArtifactRequest& request)
    : parts_(parts),
      context_(context),
      request_(request),
      loop_(parts.pool, [this] { return Step(); }) {
  parts_.streams->Add(this);
  loop_.Wake();
}

void ArtifactStream::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mu_);
    write_done_ = true;
    if (!ok && end_.ok()) end_ = absl::CancelledError("the reader went away");
  }
  loop_.Wake();
}

void ArtifactStream::OnCancel() { End(absl::CancelledError("the call was cancelled")); }

void ArtifactStream::OnDone() {
  // Under the lock: a step that is running now must not destroy the loop before it is woken.
  absl::MutexLock lock(&mu_);
  done_ = true;
  loop_.Wake();
}

void ArtifactStream::End(const absl::Status& why) {
  {
    absl::MutexLock lock(&mu_);
    if (end_.ok()) end_ = why;
  }
  loop_.Wake();
}

absl::Status ArtifactStream::Open() {
  moved_ = absl::Now();
  FPO_RETURN_IF_ERROR(parts_.may_read(request_.job_id()));
  FPO_ASSIGN_OR_RETURN(auto begun, parts_.relay->Begin());
  id_ = std::move(begun.first);
  transfer_ = std::move(begun.second);
  transfer_->SetReader([this] { loop_.Wake(); });
  return parts_.coordinator->ServeArtifact(FromProto(request_), id_);
}

// Wakes the loop again once the silence would be too long. The alarm may ring when the stream is
// gone: it knows the transfer alone.
void ArtifactStream::Watch() {
  const absl::Time now = absl::Now();
  if (now - moved_ >= parts_.silence) {
    const std::string who = writing_ ? "the reader" : "the worker that holds the files";
    End(WithErrorInfo(absl::UnavailableError(absl::StrCat(who, " did nothing for ",
                                                          absl::FormatDuration(parts_.silence))),
                      {.reason = "SILENT", .hint = "fpoctl workers list; then run it again"}));
    if (writing_) context_->TryCancel();  // a write that never ends
    return;
  }
  if (look_again_ > now) return;
  look_again_ = moved_ + parts_.silence;
  alarm_.Set(absl::ToChronoTime(look_again_), [transfer = transfer_](bool rang) {
    if (rang) transfer->WakeReader();
  });
}

void ArtifactStream::Move() {
  if (auto frame = transfer_->Take()) {
    moved_ = absl::Now();
    message_ = *std::move(frame);
    writing_ = true;
    StartWrite(&message_);
  } else if (const auto end = transfer_->End()) {
    FinishOnce(*end);
  }
}

void ArtifactStream::FinishOnce(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  Finish(ToGrpcStatus(status));
}

bool ArtifactStream::Step() {
  if (!std::exchange(opened_, true)) {
    const absl::Status opened = Open();
    if (!opened.ok()) FinishOnce(opened);
  }
  if (transfer_ && !finished_) Watch();
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
    parts_.relay->Forget(id_);
    if (transfer_) transfer_->SetReader(nullptr);
    delete this;
    return false;
  }
  if (writing_ || finished_) return true;
  if (!end.ok()) {
    FinishOnce(end);
  } else {
    Move();
  }
  return true;
}

}  // namespace fpo::coordinator
