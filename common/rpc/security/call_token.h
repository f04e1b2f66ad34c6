#pragma once

#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>

namespace fpo {

// Interceptor that puts "authorization: Bearer TOKEN" on every call of a channel.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeCallToken(
    std::string token);

}  // namespace fpo
