#pragma once

#include <grpcpp/server_context.h>

#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cache/rpc/stream_context.h"
#include "common/reference/packed_record.h"
#include "common/rpc/streams/read_ahead.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// One PullManifest call: windows of records are read on the pool, some at a time, and sent as
// frames of about 1 MiB. While one frame is in flight the next one is made, and no more, so a slow
// reader costs two frames and three windows of memory. Deletes itself at the end.
class PullManifestStream final : public grpc::ServerWriteReactor<fpo::v1::PullManifestResponse>,
                                 public OpenStream {
 public:
  PullManifestStream(const StreamContext& context, grpc::CallbackServerContext* call,
                     const fpo::v1::PullManifestRequest* request, Principal caller);

  void OnWriteDone(bool ok) override;
  void OnDone() override;
  void OnTick(absl::Time now) override { idle_.Check(now); }

 private:
  void Start();
  bool MustFetch() const;
  absl::Status Begin();
  absl::Status CheckOrdinals() const;
  void ReadOn();  // starts reading the windows that are due
  absl::Status FillWindow();
  absl::Status FillFrame(fpo::v1::PullManifestResponse* frame);
  bool AtEnd() const { return next_ == end_; }
  int64_t OrdinalAt(int64_t position) const;
  void MakeFrame();  // on the pool
  // Sends the next frame once the one before it is through. Neither is touched meanwhile.
  void SendFrame();

  const StreamContext context_;
  const fpo::v1::PullManifestRequest request_;
  const Principal caller_;
  IdleWatch idle_;

  PullRequest asked_;
  std::shared_ptr<const ManifestHeader> manifest_;
  const absl::Time start_;

  // State of making frames. Positions are among the requested ordinals; without a list an ordinal
  // is its own position.
  int64_t next_ = 0;  // first that is in no frame yet
  int64_t end_ = 0;
  int64_t read_ = 0;                 // first that is not being read yet
  std::deque<PackedRecord> window_;  // read and in no frame yet
  using Window = absl::StatusOr<std::vector<PackedRecord>>;
  std::deque<ReadAhead<Window>> ahead_;  // windows after it
  int64_t window_records_ = 16;          // to read next, as large as the last ones were
  SequenceDigest digest_;
  absl::Status making_;  // why the frame could not be made
  fpo::v1::PullManifestResponse made_;

  fpo::v1::PullManifestResponse sent_;  // in flight
  bool sent_any_ = false;
  bool finishing_ = false;

  absl::Mutex mutex_;
  bool frame_made_ ABSL_GUARDED_BY(mutex_) = false;
  bool in_flight_ ABSL_GUARDED_BY(mutex_) = false;
  bool peer_gone_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fpo::cache
