#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <functional>
#include <memory>

#include "common/rpc/server.h"

namespace fpo {

// Interceptor that reports the start of each call, and its method, status code and duration at its
// end; a cancelled call counts as CANCELLED. Either callback may be empty.
struct CallWatch {
  std::function<void()> on_begin;
  std::function<void(const HandledCall&)> on_handled;
};
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallObserver(
    CallWatch watch);

}  // namespace fpo
