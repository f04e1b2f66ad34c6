#pragma once

#include <grpcpp/server_context.h>

#include <deque>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cache/rpc/stream_context.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// One PutRecords call. While some frames become durable the next ones are read, and those that
// arrived meanwhile are stored together: a sender that does not wait for each acknowledgement
// shares the fsync, and a large upload is ingested as sorted files. The first rejected frame ends
// the stream; those before it are stored. Deletes itself when the call is over.
class PutRecordsStream final
    : public grpc::ServerBidiReactor<fpo::v1::PutRecordsRequest, fpo::v1::PutRecordsResponse>,
      public OpenStream {
 public:
  PutRecordsStream(const StreamContext& context, grpc::CallbackServerContext* call);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone() override;
  void OnTick(absl::Time now) override { idle_.Check(now); }

 private:
  using Frames = std::vector<fpo::v1::PutRecordsRequest>;

  void Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Does what is possible now: storing, acknowledging, ending. Returns the status to finish with,
  // once.
  std::optional<grpc::Status> GoOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StoreOnPool();
  // Stores `frames`, together if possible; those before a rejected one in any case.
  absl::Status Store(const Frames& frames);
  absl::Status StoreTogether(absl::Span<const fpo::v1::PutRecordsRequest> frames);

  const StreamContext context_;
  grpc::CallbackServerContext* const call_;
  IdleWatch idle_;
  fpo::v1::PutRecordsRequest reading_;
  fpo::v1::PutRecordsResponse sending_;

  absl::Mutex mutex_;
  Frames waiting_ ABSL_GUARDED_BY(mutex_);  // read and not yet being stored
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_read_seq_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_stored_seq_ ABSL_GUARDED_BY(mutex_) = 0;
  PutCounts counts_ ABSL_GUARDED_BY(mutex_);  // durable, of the stream so far
  absl::Status refused_ ABSL_GUARDED_BY(mutex_);
  bool is_reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_storing_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool owes_ack_ ABSL_GUARDED_BY(mutex_) = false;
  bool sender_is_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fpo::cache
