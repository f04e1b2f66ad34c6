#pragma once

#include <grpcpp/server_context.h>

#include <optional>

#include "cache/rpc/stream_context.h"
#include "common/rpc/streams/answer_stream.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// One Verify call: portions are checked on the pool and reported, one report in flight.
class VerifyStream final : public AnswerStream<fpo::v1::VerifyResponse> {
 public:
  VerifyStream(const StreamContext& context, grpc::CallbackServerContext* call,
               const fpo::v1::VerifyRequest* request, Principal caller);

 private:
  ~VerifyStream() override = default;
  absl::Status Open() override;
  void Next() override;
  absl::Status CheckPortion();
  absl::StatusOr<CheckReport> CheckNext();

  const StreamContext context_;
  const fpo::v1::VerifyRequest request_;
  const Principal caller_;

  std::optional<Digest> manifest_;                             // nullopt: the whole store
  int64_t total_ = 0;                                          // of the manifest
  int64_t next_ordinal_ = 0;                                   // in the manifest
  std::optional<RecordPosition> position_ = RecordPosition{};  // in the store
  fpo::v1::VerifyResponse report_;                             // as it was sent last
};

}  // namespace fpo::cache
