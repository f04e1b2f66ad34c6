#pragma once

#include <grpcpp/support/client_interceptor.h>

#include <functional>
#include <memory>
#include <string>

namespace fpo {

// The token to send now; from any thread.
using TokenOfCall = std::function<std::string()>;

// Interceptor that puts "authorization: Bearer TOKEN" on every call of a channel.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeCallToken(
    TokenOfCall token);

}  // namespace fpo
