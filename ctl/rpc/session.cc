#include "ctl/rpc/session.h"

#include <utility>
#include <vector>

#include "common/access_list.h"
#include "common/cache_client/reference_cache_client.h"
#include "common/error_info.h"
#include "common/observe/trace_context.h"
#include "common/rpc/channel.h"
#include "common/rpc/security/peer_address.h"
#include "common/status_macros.h"
#include "ctl/command_line/exit_code.h"
#include "ctl/rpc/coordinator_client.h"
#include "ctl/rpc/retry_policy.h"
#include "ctl/rpc/rpc_status.h"

namespace fpo::ctl {
namespace {

constexpr absl::Duration kTransferTime = absl::Hours(4);  // of a whole manifest

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(Session& session,
                                                       const std::string& address) {
  ChannelOptions options{.tls = session.settings().tls};
  const std::string& token_file = session.settings().token_file;
  if (!token_file.empty()) {
    absl::StatusOr<std::string> token = ReadTokenFile(token_file);
    if (!token.ok()) {
      return WithErrorInfo(
          token.status(),
          {.reason = ErrorReason::kTokenFile,
           .hint = "name the file with your token: --token-file, FPO_TOKEN_FILE, or a "
                   "context (fpoctl context show)"});
    }
    options.token = *std::move(token);
  }
  auto channel = MakeChannel(address, options);
  if (!channel.ok()) {
    return UsageError(channel.status().message(), "what is set, and where: fpoctl context show");
  }
  return channel;
}

}  // namespace

absl::StatusOr<CoordinatorClient> ConnectCoordinator(Session& session) {
  const std::string& address = session.settings().server;
  std::vector<CoordinatorClient::Endpoint> endpoints;
  for (const std::string& each : SplitAddresses(address)) {
    CoordinatorClient::Endpoint endpoint{each, nullptr};
    FPO_ASSIGN_OR_RETURN(endpoint.channel, Connect(session, endpoint.address));
    endpoints.push_back(std::move(endpoint));
  }
  CoordinatorClient client(std::move(endpoints), &session.interrupt);
  if (const Variables& variable = session.environment.variables) {
    const auto context = ParseTraceparent(variable("TRACEPARENT").value_or(""));
    if (context.has_value()) client.SetTraceparent(Traceparent(*context));
  }
  return client;
}

absl::StatusOr<ReferenceCacheClient> ConnectCache(Session& session) {
  const std::string& address = session.settings().cache_server;
  FPO_ASSIGN_OR_RETURN(const auto channel, Connect(session, address));
  return CacheClientOf(channel, address, session.interrupt);
}

ReferenceCacheClient CacheClientOf(const std::shared_ptr<grpc::Channel>& channel,
                                   const std::string& address, const Interrupt& interrupt) {
  CacheCallPolicy policy{.manifest_time = kTransferTime,
                         .upload_time = kTransferTime,
                         .pull_time = kTransferTime,
                         .stop = interrupt.token()};
  policy.make = [patience = RetryPolicy(channel),
                 &interrupt](const CacheCallPolicy::Call& call) mutable {
    return patience.Call(interrupt, call);
  };
  policy.explain = [address, stop = interrupt.token()](const grpc::Status& status) {
    return CallError(status, CacheSite(address, stop.stop_requested()));
  };
  return {channel, channel, std::move(policy)};
}

}  // namespace fpo::ctl
