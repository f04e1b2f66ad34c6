#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/rpc/listen_options.h"

namespace fpo {

inline constexpr int kMessageBytesMax = 4 << 20;  // both directions, both ends

struct ChannelOptions {
  TlsFiles tls = {};       // ca given: TLS
  std::string token = {};  // sent with every call; only over TLS or to loopback
  bool bulk = false;  // a connection of its own for records and files, so that they never delay
                      // control calls
};

// Connects lazily and reconnects with back-off 0.5 to 5 s; keepalive 30 s / 10 s; calls are retried
// on UNAVAILABLE only (4 tries, 0.1 to 1 s, throttled). A begun stream is not retried.
// InvalidArgument for a malformed address, unreadable TLS files, or a token that everybody could
// read on its way.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelOptions& options = {});

}  // namespace fpo
