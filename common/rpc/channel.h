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
  // Instead of `token`: a file, which is read again when it changes.
  std::string token_file = {};
  // a separate connection for records and files, so that they never delay control calls
  bool bulk = false;
};

// Connects lazily and reconnects with back-off 0.5 to 5 s; keepalive 30 s / 10 s; calls are retried
// only on UNAVAILABLE (4 tries, 0.1 to 1 s, throttled). A stream that has begun is not retried.
// InvalidArgument for a malformed address, unreadable TLS files, or a token that would be sent in
// the clear.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelOptions& options = {});

}  // namespace fpo
