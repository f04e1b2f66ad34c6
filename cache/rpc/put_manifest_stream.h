#pragma once

#include <grpcpp/server_context.h>

#include "cache/rpc/stream_context.h"
#include "proto/fpo/v1/cache.grpc.pb.h"

namespace fpo::cache {

// One PutManifest call: collects the header and the keys as they arrive, then stores them at once.
// Deletes itself when the call is over.
class PutManifestStream final : public grpc::ServerReadReactor<fpo::v1::PutManifestRequest>,
                                public OpenStream {
 public:
  PutManifestStream(const StreamContext& context, grpc::CallbackServerContext* call,
                    fpo::v1::PutManifestResponse* response, Principal caller);

  void OnReadDone(bool ok) override;
  void OnDone() override;
  void OnTick(absl::Time now) override { idle_.Check(now); }

 private:
  absl::Status Accept(const fpo::v1::PutManifestRequest& request);
  absl::Status CheckWhole() const;
  absl::Status Store();
  void StoreAndFill();  // and ends the call, perhaps later
  void ReadNext();

  const StreamContext context_;
  grpc::CallbackServerContext* const call_;
  fpo::v1::PutManifestResponse* const response_;
  const Principal caller_;
  IdleWatch idle_;

  fpo::v1::PutManifestRequest request_;
  bool has_header_ = false;
  int64_t keys_promised_ = 0;
  NewManifest manifest_;
};

}  // namespace fpo::cache
