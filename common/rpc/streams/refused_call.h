#pragma once

#include "absl/status/status.h"
#include "common/rpc/grpc_status.h"

namespace fpo {

// A stream that is rejected before it begins. Deletes itself.
template <typename Reactor>
class RefusedCall final : public Reactor {
 public:
  explicit RefusedCall(const absl::Status& why) { this->Finish(ToGrpcStatus(why)); }
  void OnDone() override { delete this; }
};

}  // namespace fpo
