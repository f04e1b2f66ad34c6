#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/time/time.h"

namespace fpo::client {

// Asks grpc.health.v1 how a whole server is: "SERVING", "NOT_SERVING", "UNKNOWN", or "UNREACHABLE".
// Blocks at most `timeout`.
std::string CheckHealth(const std::shared_ptr<grpc::Channel>& channel, absl::Duration timeout);

}  // namespace fpo::client
