#include "cache/rpc/wait_manifest_stream.h"

#include "cache/rpc/convert.h"
#include "common/rpc/grpc_status.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

bool EndsWait(const ManifestProgress& view) {
  return view.present == view.total || view.claimable > 0;
}

}  // namespace

WaitManifestStream::WaitManifestStream(const StreamContext& context,
                                       const fpo::v1::WaitManifestRequest* request)
    : context_(context), request_(*request) {
  if (!context_.streams->Add(this) || !context_.pool->TryRun([this] { Look(); })) {
    FinishOnce(TooManyCalls());
  }
}

absl::Status WaitManifestStream::Step(std::optional<ManifestProgress>* changed) {
  FPO_ASSIGN_OR_RETURN(const Digest id, ReadDigest(request_.manifest_id(), "manifest_id"));
  FPO_ASSIGN_OR_RETURN(const ManifestProgress view, context_.upstream
                                                        ? context_.upstream->Progress(id)
                                                        : context_.cache->Progress(id));
  if (sent_ != view) *changed = view;
  return absl::OkStatus();
}

void WaitManifestStream::Look() {
  // Read before the view: a change in between is seen twice, never missed.
  const uint64_t version = context_.cache->version();
  std::optional<ManifestProgress> changed;
  const absl::Status status = Step(&changed);
  if (!status.ok()) return FinishOnce(status);
  if (changed) {
    sent_ = changed;
    response_ = ToProto(*changed);
  }
  absl::MutexLock lock(&mutex_);
  seen_version_ = version;
  if (cancelled_) {
    turn_ = Turn::kOver;
    Finish(grpc::Status::CANCELLED);
  } else if (!changed) {
    turn_ = Turn::kIdle;
  } else if (EndsWait(*changed)) {
    turn_ = Turn::kOver;
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  } else {
    StartWrite(&response_);
  }
}

void WaitManifestStream::OnWriteDone(bool ok) {
  absl::MutexLock lock(&mutex_);
  if (turn_ == Turn::kOver) return;
  if (ok && !cancelled_) {
    turn_ = Turn::kIdle;
    return;
  }
  turn_ = Turn::kOver;
  Finish(grpc::Status::CANCELLED);
}

void WaitManifestStream::OnCancel() {
  absl::MutexLock lock(&mutex_);
  cancelled_ = true;
  if (turn_ != Turn::kIdle) return;
  turn_ = Turn::kOver;
  Finish(grpc::Status::CANCELLED);
}

void WaitManifestStream::OnTick(absl::Time /*now*/) {
  absl::MutexLock lock(&mutex_);
  if (turn_ != Turn::kIdle || context_.cache->version() == seen_version_) return;
  // A full pool is no reason to end: the next tick tries again.
  if (context_.pool->TryRun([this] { Look(); })) turn_ = Turn::kLooking;
}

void WaitManifestStream::FinishOnce(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (turn_ == Turn::kOver) return;
  turn_ = Turn::kOver;
  Finish(ToGrpcStatus(status));
}

void WaitManifestStream::OnDone() {
  context_.streams->Remove(this);
  // Whoever called Finish may still hold the mutex.
  { absl::MutexLock lock(&mutex_); }
  delete this;
}

}  // namespace fpo::cache
