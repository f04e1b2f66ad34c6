#include "common/rpc/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdlib>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/access_list.h"
#include "common/rpc/grpc_log.h"
#include "common/rpc/security/call_token.h"
#include "common/rpc/security/credentials.h"
#include "common/rpc/security/peer_address.h"
#include "common/rpc/security/token_source.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr char kServiceConfig[] = R"({
  "methodConfig": [{
    "name": [{}],
    "retryPolicy": {
      "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }],
  "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
})";

// Between two calls that fail at once, only gRPC's backup poller reads the channel's sockets, every
// 5 s by default: a server that is back would seem unavailable for that long. Read once, when gRPC
// starts; a value from the environment takes precedence.
void PollOften() {
  static const int set = setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "200", 0);
  (void)set;
}

TokenOfCall TokenOf(const ChannelOptions& options) {
  if (options.token_file.empty()) return [token = options.token] { return token; };
  auto file = std::make_shared<TokenSource>(options.token_file);
  return [file] { return file->Get(); };
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelOptions& options) {
  QuietGrpc();
  PollOften();
  FPO_RETURN_IF_ERROR(CheckPeerAddress(address));
  FPO_ASSIGN_OR_RETURN(std::shared_ptr<grpc::ChannelCredentials> credentials,
                       ChannelCredentialsFor(options.tls));
  std::string token = options.token;
  if (!options.token_file.empty()) {
    FPO_ASSIGN_OR_RETURN(token, ReadTokenFile(options.token_file));
  }
  if (!token.empty() && options.tls.ca.empty() && !IsLoopback(address)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a token is sent only over TLS or to this machine, and ", address, " is neither"));
  }
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(kMessageBytesMax);
  args.SetMaxSendMessageSize(kMessageBytesMax);
  args.SetServiceConfigJSON(kServiceConfig);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 500);
  // Despite its name, the time limit of one connection attempt: a busy server needs a while.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5'000);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5'000);
  // A proxy that a login shell exports for the web is not meant for these addresses.
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Channels with equal arguments share a connection; this one must not.
  args.SetInt("fpo.bulk", options.bulk ? 1 : 0);
  if (token.empty()) return grpc::CreateCustomChannel(address, credentials, args);
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(MakeCallToken(TokenOf(options)));
  return grpc::experimental::CreateCustomChannelWithInterceptors(address, credentials, args,
                                                                 std::move(interceptors));
}

}  // namespace fpo
