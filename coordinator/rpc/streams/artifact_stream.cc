#include "coordinator/rpc/streams/artifact_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/error_info.h"
#include "common/status_macros.h"
#include "coordinator/rpc/convert.h"

namespace fpo::coordinator {

ArtifactStream::ArtifactStream(const Dependencies& dependencies,
                               grpc::CallbackServerContext* context,
                               const fpo::v1::ReadArtifactRequest& request)
    : AnswerStream(dependencies.pool, dependencies.streams),
      dependencies_(dependencies),
      context_(context),
      request_(request) {
  Begin();
}

absl::Status ArtifactStream::Open() {
  moved_ = BootNow();
  ArtifactRequest request = FromProto(request_);
  FPO_ASSIGN_OR_RETURN(const JobPtr job, dependencies_.job_to_read(request_.job_id()));
  request.job = job->job_id;
  FPO_ASSIGN_OR_RETURN(auto begun, dependencies_.relay->Begin());
  id_ = std::move(begun.first);
  transfer_ = std::move(begun.second);
  transfer_->SetReader([this] { Wake(); });
  FPO_ASSIGN_OR_RETURN(const std::string worker,
                       dependencies_.coordinator->ServeArtifact(request, id_));
  dependencies_.relay->SetHolder(id_, worker);
  return absl::OkStatus();
}

// Wakes the loop again when the silence would be too long. The alarm may fire after the stream is
// gone, so it knows only the transfer.
void ArtifactStream::Look() {
  if (!transfer_) return;
  const absl::Time now = BootNow();
  if (now - moved_ >= dependencies_.silence) {
    const std::string who = writing() ? "the reader" : "the worker that holds the files";
    End(WithErrorInfo(
        absl::UnavailableError(
            absl::StrCat(who, " did nothing for ", absl::FormatDuration(dependencies_.silence))),
        {.reason = ErrorReason::kSilent, .hint = "fpoctl workers list; then run it again"}));
    if (writing()) context_->TryCancel();  // a write that never ends
    return;
  }
  if (look_again_ > now) return;
  look_again_ = moved_ + dependencies_.silence;
  alarm_.Set(absl::ToChronoTime(look_again_), [transfer = transfer_](bool rang) {
    if (rang) transfer->WakeReader();
  });
}

void ArtifactStream::Next() {
  if (auto frame = transfer_->Take()) {
    moved_ = BootNow();
    Write(*std::move(frame));
  } else if (const auto end = transfer_->End()) {
    FinishOnce(*end);
  }
}

void ArtifactStream::Leave() {
  dependencies_.relay->Forget(id_);
  if (transfer_) transfer_->SetReader(nullptr);
}

}  // namespace fpo::coordinator
