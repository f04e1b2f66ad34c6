#include "cache/rpc/wait_manifest_stream.h"

#include "common/status_macros.h"
#include "common/wire/cache_wire.h"

namespace fpo::cache {
namespace {

bool EndsWait(const ManifestProgress& progress) {
  return progress.present == progress.total || progress.claimable > 0;
}

}  // namespace

WaitManifestStream::WaitManifestStream(const StreamContext& context,
                                       const fpo::v1::WaitManifestRequest* request)
    : AnswerStream(context.pool, context.streams), context_(context), request_(*request) {
  Begin();
}

absl::Status WaitManifestStream::Open() {
  FPO_ASSIGN_OR_RETURN(manifest_id_, ReadDigest(request_.manifest_id(), "manifest_id"));
  return absl::OkStatus();
}

void WaitManifestStream::Next() {
  if (sent_ && EndsWait(*sent_)) return FinishOnce(absl::OkStatus());
  // Read before the progress: a change in between is seen twice, never missed.
  seen_version_ = context_.cache->version();
  const absl::StatusOr<ManifestProgress> progress = context_.upstream
                                                        ? context_.upstream->Progress(manifest_id_)
                                                        : context_.cache->Progress(manifest_id_);
  if (!progress.ok()) return FinishOnce(progress.status());
  if (sent_ == *progress) return;
  sent_ = *progress;
  Write(ToProto(*progress));
}

void WaitManifestStream::OnTick(absl::Time /*now*/) {
  if (context_.cache->version() != seen_version_) Wake();
}

}  // namespace fpo::cache
