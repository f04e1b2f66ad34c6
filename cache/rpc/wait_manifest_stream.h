#pragma once

#include <grpcpp/server_context.h>

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cache/rpc/stream_context.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// One WaitManifest call. It holds no thread: the ticker notices that the cache changed, the pool
// looks, and a changed view is sent. Ends with the view that is complete or has something to claim.
// Deletes itself when the call is over.
class WaitManifestStream final : public grpc::ServerWriteReactor<fpo::v1::WaitManifestResponse>,
                                 public OpenStream {
 public:
  WaitManifestStream(const StreamContext& context, const fpo::v1::WaitManifestRequest* request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;
  void OnTick(absl::Time now) override;

 private:
  // kLooking: the pool or gRPC has the next move and will come back. kOver: Finish was called.
  enum class Turn { kIdle, kLooking, kOver };

  void Look();
  absl::Status Step(std::optional<ManifestProgress>* changed);
  void FinishOnce(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  const StreamContext context_;
  const fpo::v1::WaitManifestRequest request_;
  fpo::v1::WaitManifestResponse response_;  // while a write is in flight
  std::optional<ManifestProgress> sent_;    // touched only while kLooking

  absl::Mutex mutex_;
  Turn turn_ ABSL_GUARDED_BY(mutex_) = Turn::kLooking;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t seen_version_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fpo::cache
