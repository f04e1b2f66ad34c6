#pragma once

#include <grpcpp/server_context.h>

#include "cache_service/rpc/stream_context.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// One PutRecords call. The life of a batch: read, stored on the pool (batches of all streams share
// an fsync), acknowledged, and only then the next is read; so a stream has one batch in memory.
// The first refused batch ends the stream. Deletes itself when the call is over.
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
  absl::Status StoreBatch();
  void ReadNext();

  const StreamContext context_;
  grpc::CallbackServerContext* const call_;
  IdleWatch idle_;

  fpo::v1::PutRecordsRequest batch_;
  fpo::v1::PutRecordsResponse totals_;  // of the stream so far; what is sent
};

}  // namespace fpo::cache
