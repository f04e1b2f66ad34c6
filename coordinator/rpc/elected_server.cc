#include "coordinator/rpc/elected_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/observe/log.h"
#include "common/status_macros.h"
#include "common/waits/steady_wait.h"
#include "coordinator/core/store/postgres_job_store.h"

namespace fpo::coordinator {
namespace {

// Looks and renewals within one lease.
constexpr int kTurnsPerLease = 10;

}  // namespace

ElectedServer::ElectedServer(const CoordinatorConfig& config, std::string version,
                             std::string commit)
    : config_(config), version_(std::move(version)), commit_(std::move(commit)) {}

absl::StatusOr<std::unique_ptr<ElectedServer>> ElectedServer::Start(const CoordinatorConfig& config,
                                                                    const std::string& version,
                                                                    const std::string& commit) {
  FPO_RETURN_IF_ERROR(config.Validate());
  std::unique_ptr<ElectedServer> server(new ElectedServer(config, version, commit));
  FPO_ASSIGN_OR_RETURN(server->values_, OpenPostgres(config));
  FPO_ASSIGN_OR_RETURN(server->standby_, StandbyServer::Start(config.listen, version, commit));
  // A change of leader keeps the addresses.
  server->config_.listen.listen = server->standby_->grpc_address();
  if (!config.listen.http.empty()) server->config_.listen.http = server->standby_->http_address();
  const std::string holder =
      config.advertise.empty() ? server->standby_->grpc_address() : config.advertise;
  server->election_ =
      std::make_unique<LeaderElection>(LeaderElection::Options{holder, config.leader_lease},
                                       server->values_.get(), &server->steady_);
  FPO_RETURN_IF_ERROR(WritePortFile(config.listen.port_file, server->standby_->grpc_address(),
                                    server->standby_->http_address()));
  server->config_.listen.port_file.clear();
  Log(LogLevel::kInfo, "standing by", {{"grpc", holder}, {"store", server->values_->Name()}});
  server->thread_ = std::thread([raw = server.get()] { raw->Run(); });
  return server;
}

ElectedServer::~ElectedServer() { Shutdown(); }

void ElectedServer::Shutdown() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

bool ElectedServer::Pause(absl::Duration time) {
  absl::MutexLock lock(&mutex_);
  return !AwaitFor(&mutex_, absl::Condition(&stopping_), time);
}

void ElectedServer::Run() {
  while (Pause(absl::ZeroDuration())) {
    StandBy();
    Serve();
  }
}

void ElectedServer::StandBy() {
  while (Pause(config_.leader_lease / kTurnsPerLease)) {
    if (!standby_) {
      auto standby = StandbyServer::Start(config_.listen, version_, commit_);
      if (standby.ok()) standby_ = *std::move(standby);
    }
    if (election_->Turn()) return;
    if (standby_) standby_->SetLeader(election_->leader(), election_->problem());
  }
}

void ElectedServer::Renew() {
  {
    absl::MutexLock lock(&mutex_);
    if (!leads_) return;
  }
  const bool leads = election_->Turn();
  absl::MutexLock lock(&mutex_);
  leads_ = leads;
  if (!leads) why_ = std::string(election_->problem().message());
}

void ElectedServer::Serve() {
  if (!Pause(absl::ZeroDuration())) return;
  Log(LogLevel::kInfo, "this coordinator leads", {{"store", values_->Name()}});
  standby_.reset();
  {
    absl::MutexLock lock(&mutex_);
    leads_ = true;
  }
  // From here on, so that reading many jobs does not cost the lead.
  Ticker renewing(config_.leader_lease / kTurnsPerLease, [this](absl::Time) { Renew(); });
  auto store = PostgresJobStore::Open(values_);
  if (store.ok()) {
    auto server = CoordinatorServer::Start(config_, *std::move(store), {version_, commit_});
    if (server.ok()) {
      server_ = *std::move(server);
    } else {
      Log(LogLevel::kError, absl::StrCat("it cannot serve: ", server.status().message()));
    }
  } else {
    Log(LogLevel::kError, absl::StrCat("the store cannot be used: ", store.status().message()));
  }
  if (server_) {
    absl::MutexLock lock(&mutex_);
    const auto is_over = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return stopping_ || !leads_; };
    mutex_.Await(absl::Condition(&is_over));
    if (!leads_) Log(LogLevel::kError, absl::StrCat("this coordinator leads no more: ", why_));
  }
  if (server_) server_->Shutdown();
  server_.reset();
  renewing.Stop();
  election_->StepDown();
}

}  // namespace fpo::coordinator
