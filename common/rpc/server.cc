#include "common/rpc/server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/config_protobuf.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/files/open_files.h"
#include "common/rpc/call_observer.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_log.h"
#include "common/rpc/security/credentials.h"
#include "common/status_macros.h"
#include "common/waits/steady_wait.h"

namespace fpo {
namespace {

// Time for calls that arrive while the last ones end.
constexpr absl::Duration kGoodbye = absl::Milliseconds(200);
constexpr int kConnectionStreamsMax = 1024;  // further calls of the connection wait at the client
constexpr int kMetadataBytesMax = 8 << 10;   // of a call's headers; a token has 70 bytes

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
  // What one peer may cost before, and after, it has said who it is.
  builder->AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10'000);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 600'000);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kConnectionStreamsMax);
  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
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
  Acceptor::Options accepting{.listen = o.listen};
  accepting.connections_max =
      o.connections_max > 0 ? o.connections_max : MaxConnections(RaiseOpenFilesLimit());
  accepting.peer_connections_max = std::max(accepting.connections_max / 2, 1);
  FPO_ASSIGN_OR_RETURN(server->acceptor_, Acceptor::Listen(accepting));
  std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> entrance =
      builder.experimental().AddExternalConnectionAcceptor(
          grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  for (const RpcServerOptions::Service& service : o.services) {
    builder.RegisterService(service.service);
  }
  server->BuildObserver(&builder);
  server->server_ = builder.BuildAndStart();
  if (!server->server_) return absl::InternalError("gRPC does not start");
  server->SetServing("", true);
  server->acceptor_->Start([entrance](FileDescriptor connection) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
    parameters.fd = connection.Release();
    entrance->HandleNewConnection(&parameters);
  });
  return server;
}

// Peers choose what they call before anyone asks who they are: a metric for each path that was ever
// called would fill the memory.
void RpcServer::FindMethods() {
  std::vector<std::string> names = {"grpc.health.v1.Health"};
  for (const RpcServerOptions::Service& service : options_.services) names.push_back(service.name);
  methods_ = {{"grpc.health.v1.Health/Check"}, {"grpc.health.v1.Health/Watch"}};
  for (const std::string& name : names) {
    const auto* service = grpc::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
      methods_.insert(absl::StrCat(name, "/", service->method(i)->name()));
    }
  }
}

void RpcServer::BuildObserver(grpc::ServerBuilder* builder) {
  FindMethods();
  CallWatch watch;
  watch.on_begin = [this] {
    absl::MutexLock lock(&mu_);
    ++calls_;
  };
  watch.on_handled = [this](const HandledCall& call) {
    HandledCall named = call;
    if (!methods_.contains(absl::StrCat(call.service, "/", call.method))) {
      named.service = named.method = "unknown";
    }
    if (options_.on_handled) options_.on_handled(named);
    absl::MutexLock lock(&mu_);
    --calls_;
  };
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(MakeCallObserver(std::move(watch)));
  builder->experimental().SetInterceptorCreators(std::move(creators));
}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

int RpcServer::port() const { return acceptor_->port(); }
std::string RpcServer::address() const {
  return absl::StrCat(HostOf(options_.listen), ":", port());
}

std::shared_ptr<grpc::Channel> RpcServer::InProcessChannel() {
  grpc::ChannelArguments args;
  args.SetMaxReceiveMessageSize(kMessageBytesMax);
  args.SetMaxSendMessageSize(kMessageBytesMax);
  return server_->InProcessChannel(args);
}

absl::Status RpcServer::Health() const { return acceptor_->Health(); }

std::vector<std::pair<std::string, double>> RpcServer::ConnectionNumbers() const {
  const Acceptor::Numbers numbers = acceptor_->numbers();
  return {{"open", static_cast<double>(numbers.open)},
          {"refused", static_cast<double>(numbers.refused)},
          {"accept_failures", static_cast<double>(numbers.failures)}};
}

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
    absl::SleepFor(options_.drain_notice);
  }
  // gRPC's own shutdown also waits for connections to close, which an idle client that polls
  // nothing does not notice. So the grace period is spent here, on calls, and little is left to it.
  const absl::Time deadline = BootNow() + grace;
  {
    absl::MutexLock lock(&mu_);
    AwaitFor(&mu_,
             absl::Condition(
                 +[](int* calls) { return *calls == 0; }, &calls_),
             grace);
  }
  acceptor_->Stop();
  server_->Shutdown(absl::ToChronoTime(absl::Now() + std::min(deadline - BootNow(), kGoodbye)));
  server_->Wait();
}

}  // namespace fpo
