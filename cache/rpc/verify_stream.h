#pragma once

#include <grpcpp/server_context.h>

#include <optional>

#include "cache/rpc/stream_context.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// One Verify call: portions are checked on the pool and reported, one report in flight. Deletes
// itself when it is over.
class VerifyStream final : public grpc::ServerWriteReactor<fpo::v1::VerifyResponse>,
                           public OpenStream {
 public:
  VerifyStream(const StreamContext& context, grpc::CallbackServerContext* call,
               const fpo::v1::VerifyRequest* request, Principal caller);

  void OnWriteDone(bool ok) override;
  void OnDone() override;
  void OnTick(absl::Time now) override { idle_.Check(now); }

 private:
  absl::Status Begin();
  absl::Status CheckPortion();
  absl::StatusOr<CheckReport> CheckNext();
  void Send();

  const StreamContext context_;
  const fpo::v1::VerifyRequest request_;
  const Principal caller_;
  IdleWatch idle_;

  std::optional<Digest> manifest_;                             // nothing: the whole store
  int64_t total_ = 0;                                          // of the manifest
  int64_t next_ordinal_ = 0;                                   // in the manifest
  std::optional<RecordPosition> position_ = RecordPosition{};  // in the store
  fpo::v1::VerifyResponse report_;                             // what is sent
};

}  // namespace fpo::cache
