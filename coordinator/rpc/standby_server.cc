#include "coordinator/rpc/standby_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/observe/process_metrics.h"
#include "common/rpc/call_metrics.h"
#include "common/status_macros.h"

namespace fpo::coordinator {

namespace pb = fpo::v1;

StandbyServer::~StandbyServer() {
  http_.reset();
  if (rpc_) rpc_->Shutdown(absl::ZeroDuration());
  if (pool_) pool_->Stop();
}

absl::Status StandbyServer::NotLeader() const {
  absl::MutexLock lock(&mutex_);
  ErrorInfo info{.reason = ErrorReason::kNotLeader,
                 .hint = leader_.empty() ? "try again within a lease"
                                         : absl::StrCat("the leader is at ", leader_)};
  if (!leader_.empty()) info.ids = {leader_};
  return WithErrorInfo(absl::UnavailableError(absl::StrCat(
                           "this coordinator is a standby",
                           leader_.empty() ? std::string(" and no leader is known")
                                           : absl::StrCat(" of the one at ", leader_),
                           problem_.ok() ? std::string() : absl::StrCat(": ", problem_.message()))),
                       info);
}

void StandbyServer::SetLeader(const std::string& address, const absl::Status& problem) {
  {
    absl::MutexLock lock(&mutex_);
    if (leader_ == address && problem_ == problem) return;
    leader_ = address;
    problem_ = problem;
  }
  access_->Close(NotLeader());
}

absl::StatusOr<std::unique_ptr<StandbyServer>> StandbyServer::Start(const ListenOptions& listen,
                                                                    const std::string& version,
                                                                    const std::string& commit) {
  std::unique_ptr<StandbyServer> server(new StandbyServer());
  AddBuildInfo(&server->registry_, version, commit);
  ShowProcess(&server->registry_);
  server->registry_
      .AddGauge("fpo_coordinator_leads", "1 on the coordinator that leads, 0 on standbys.")
      .Set(0);
  FPO_ASSIGN_OR_RETURN(server->access_, AccessControl::Open(listen.access));
  server->access_->Close(server->NotLeader());
  server->pool_ = std::make_unique<WorkPool>(WorkPool::Options{.threads = 1});
  CoordinatorService::Dependencies user{};
  user.pool = server->pool_.get();
  user.streams = &server->streams_;
  user.access = server->access_.get();
  server->user_service_ = std::make_unique<CoordinatorService>(user);
  WorkerSession::Dependencies worker{};
  worker.pool = server->pool_.get();
  worker.streams = &server->streams_;
  server->worker_service_ =
      std::make_unique<WorkerControlService>(worker, server->pool_.get(), server->access_.get(),
                                             /*audit=*/nullptr);
  RpcServerOptions options;
  options.listen = listen.listen;
  options.tls = listen.tls;
  options.insecure = listen.insecure;
  options.services = {{pb::Coordinator::service_full_name(), server->user_service_.get()},
                      {pb::WorkerControl::service_full_name(), server->worker_service_.get()}};
  options.on_handled = CountCalls(&server->registry_);
  FPO_ASSIGN_OR_RETURN(server->rpc_, RpcServer::Start(std::move(options)));
  server->rpc_->SetServing("", false);
  if (listen.http.empty()) return server;
  HttpRoutes routes = ObservationRoutes(
      &server->registry_, [] { return absl::OkStatus(); },
      [raw = server.get()] { return raw->NotLeader(); });
  routes["/healthz"] = [raw = server.get()] {
    return HttpReply{.body = absl::StrCat("standby: ", raw->NotLeader().message(), "\n")};
  };
  FPO_ASSIGN_OR_RETURN(server->http_, HttpServer::Start(listen.http, std::move(routes)));
  return server;
}

}  // namespace fpo::coordinator
