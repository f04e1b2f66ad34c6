#pragma once

#include <grpcpp/server_context.h>

#include <deque>

#include "cache_service/rpc/stream_context.h"
#include "common/reference/packed_record.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// One PullManifest call: windows of records are read on the pool and sent as frames of about 1 MiB,
// one frame in flight, so a slow reader costs one window of memory. Deletes itself when it is over.
class PullManifestStream final : public grpc::ServerWriteReactor<fpo::v1::PullManifestResponse>,
                                 public OpenStream {
 public:
  PullManifestStream(const StreamContext& context, grpc::CallbackServerContext* call,
                     const fpo::v1::PullManifestRequest* request);

  void OnWriteDone(bool ok) override;
  void OnDone() override;
  void OnTick(absl::Time now) override { idle_.Check(now); }

 private:
  absl::Status Begin();
  absl::Status CheckOrdinals() const;
  absl::Status FillWindow();
  absl::Status FillFrame();
  bool AtEnd() const { return next_ == end_; }
  int64_t OrdinalAt(int64_t position) const;
  void Send();

  const StreamContext context_;
  const fpo::v1::PullManifestRequest request_;
  IdleWatch idle_;

  ManifestHeader manifest_;
  const absl::Time start_;
  // Positions among the ordinals asked for; without a list an ordinal is its own position.
  int64_t next_ = 0;  // first not yet sent
  int64_t end_ = 0;
  bool sent_any_ = false;
  std::deque<PackedRecord> window_;  // read and not yet sent
  SequenceDigest digest_;
  fpo::v1::PullManifestResponse frame_;
};

}  // namespace fpo::cache
