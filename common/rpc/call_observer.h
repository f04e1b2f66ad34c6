#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <functional>
#include <memory>

#include "common/rpc/server.h"

namespace fpo {

// Interceptor that reports each call's begin, and its method, status code and duration once it
// ended; a cancelled call counts as CANCELLED. Either may be empty.
struct CallWatch {
  std::function<void()> on_begin;
  std::function<void(const HandledCall&)> on_handled;
};
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallObserver(
    CallWatch watch);

}  // namespace fpo
