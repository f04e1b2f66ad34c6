#include "common/rpc/server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/rpc/call_observer.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_log.h"
#include "common/rpc/security/credentials.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

// Time for calls that arrive while the last ones end.
constexpr absl::Duration kGoodbye = absl::Milliseconds(200);

void SetLimits(const RpcServerOptions& options, grpc::ServerBuilder* builder) {
  grpc::ResourceQuota quota("fpo");
  quota.Resize(options.memory_bytes_max);
  quota.SetMaxThreads(options.threads_max);
  builder->SetResourceQuota(quota);
  builder->SetMaxReceiveMessageSize(kMessageBytesMax);
  builder->SetMaxSendMessageSize(kMessageBytesMax);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 15'000);
  // By default two servers share a port silently, and each gets half of the calls.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace

RpcServer::RpcServer(RpcServerOptions options) : options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(RpcServerOptions options) {
  QuietGrpc();
  FPO_RETURN_IF_ERROR(CheckAddress(options.listen));
  FPO_RETURN_IF_ERROR(CheckExposure(options.listen, !options.tls.empty(), options.insecure));
  FPO_ASSIGN_OR_RETURN(std::shared_ptr<grpc::ServerCredentials> credentials,
                       ServerCredentialsFor(options.tls));
  auto server = std::unique_ptr<RpcServer>(new RpcServer(std::move(options)));
  const RpcServerOptions& o = server->options_;

  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  SetLimits(o, &builder);
  builder.AddListeningPort(o.listen, credentials, &server->port_);
  for (const RpcServerOptions::Service& service : o.services) {
    builder.RegisterService(service.service);
  }
  server->BuildObserver(&builder);
  server->server_ = builder.BuildAndStart();
  if (!server->server_ || server->port_ == 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", o.listen, ": the address is taken or not one of this machine's"));
  }
  server->SetServing("", true);
  return server;
}

void RpcServer::BuildObserver(grpc::ServerBuilder* builder) {
  CallWatch watch;
  watch.on_begin = [this] {
    absl::MutexLock lock(&mu_);
    ++calls_;
  };
  watch.on_handled = [this](const HandledCall& call) {
    if (options_.on_handled) options_.on_handled(call);
    absl::MutexLock lock(&mu_);
    --calls_;
  };
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(MakeCallObserver(std::move(watch)));
  builder->experimental().SetInterceptorCreators(std::move(creators));
}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

std::string RpcServer::address() const { return absl::StrCat(HostOf(options_.listen), ":", port_); }

void RpcServer::SetServing(const std::string& service, bool serving) {
  grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
  if (health == nullptr) return;
  if (!service.empty()) return health->SetServingStatus(service, serving);
  health->SetServingStatus(serving);
  for (const RpcServerOptions::Service& each : options_.services) {
    health->SetServingStatus(each.name, serving);
  }
}

void RpcServer::Shutdown(absl::Duration grace) {
  if (!server_ || shut_down_.exchange(true)) return;
  SetServing("", false);
  if (options_.drain_notice > absl::ZeroDuration()) {
    absl::Notification never;
    never.WaitForNotificationWithTimeout(options_.drain_notice);
  }
  // gRPC's own shutdown also waits for connections to close, which an idle client that polls
  // nothing does not notice. So the grace period is spent here, on calls, and little is left to it.
  const absl::Time deadline = absl::Now() + grace;
  {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithDeadline(absl::Condition(
                              +[](int* calls) { return *calls == 0; }, &calls_),
                          deadline);
  }
  server_->Shutdown(absl::ToChronoTime(std::min(deadline, absl::Now() + kGoodbye)));
  server_->Wait();
}

}  // namespace fpo
