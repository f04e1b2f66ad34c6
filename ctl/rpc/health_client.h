#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/time/time.h"

namespace fpo::ctl {

struct Health {
  std::string status;  // "SERVING", "NOT_SERVING", "UNKNOWN", or "UNREACHABLE"
  grpc::Status error;  // why it is UNREACHABLE
};

// Asks grpc.health.v1 for the health of a whole server. Blocks at most `timeout`.
Health CheckHealth(const std::shared_ptr<grpc::Channel>& channel, absl::Duration timeout);

}  // namespace fpo::ctl
