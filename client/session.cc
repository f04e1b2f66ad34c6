#include "client/session.h"

#include "client/exit_code.h"
#include "common/access_list.h"
#include "common/error_info.h"
#include "common/rpc/channel.h"
#include "common/status_macros.h"

namespace fpo::client {
namespace {

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(Session& session,
                                                       const std::string& address) {
  ChannelOptions options{.tls = session.settings().tls};
  const std::string& token_file = session.settings().token_file;
  if (!token_file.empty()) {
    absl::StatusOr<std::string> token = ReadTokenFile(token_file);
    if (!token.ok()) {
      return WithErrorInfo(token.status(),
                           {.reason = "TOKEN_FILE", .hint = "fpoctl token create --out makes one"});
    }
    options.token = *std::move(token);
  }
  auto channel = MakeChannel(address, options);
  if (!channel.ok()) {
    return UsageError(channel.status().message(),
                      "fpoctl --help names the address and TLS options");
  }
  return channel;
}

}  // namespace

absl::StatusOr<CoordinatorClient> ConnectCoordinator(Session& session) {
  const std::string& address = session.settings().server;
  FPO_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel, Connect(session, address));
  return CoordinatorClient(std::move(channel), address, &session.interrupt);
}

absl::StatusOr<CacheClient> ConnectCache(Session& session) {
  const std::string& address = session.settings().cache_server;
  FPO_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel, Connect(session, address));
  return CacheClient(std::move(channel), address, &session.interrupt);
}

}  // namespace fpo::client
