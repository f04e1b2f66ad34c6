#include "coordinator/rpc/coordinator_server.h"

#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/files/private_folder.h"
#include "common/hash.h"
#include "common/observe/http_server.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/observe/process_metrics.h"
#include "common/rpc/call_metrics.h"
#include "common/rpc/exposure_notice.h"
#include "common/rpc/security/access_control.h"
#include "common/rpc/server.h"
#include "common/status_macros.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/hooks/hook_file.h"
#include "coordinator/core/lines/audit_log.h"
#include "coordinator/core/store/rocksdb_job_store.h"
#include "coordinator/rpc/backup_schedule.h"
#include "coordinator/rpc/coordinator_loop.h"
#include "coordinator/rpc/coordinator_service.h"
#include "coordinator/rpc/hooks/hook_sender.h"
#include "coordinator/rpc/pages/coordinator_metrics.h"
#include "coordinator/rpc/pages/page_actions.h"
#include "coordinator/rpc/pages/page_cache.h"
#include "coordinator/rpc/pages/status_page.h"
#include "coordinator/rpc/provision_runner.h"
#include "coordinator/rpc/traces/otlp_post.h"
#include "coordinator/rpc/traces/trace_exporter.h"
#include "coordinator/rpc/worker_control_service.h"

namespace fpo::coordinator {
namespace {

namespace pb = fpo::v1;

constexpr size_t kUserStreamsMax = 4096;
constexpr size_t kCallerStreamsMax = 512;
constexpr int kProvisionIdBytes = 5;
constexpr int kSessionThreads = 4;  // most of the time they wait for the coordinator's lock

absl::Status WithNewestBackup(const absl::Status& error, const std::string& folder) {
  if (!absl::IsDataLoss(error)) return error;
  const std::string newest = StoreBackups::NewestIn(folder);
  return absl::DataLossError(absl::StrCat(
      error.message(), newest.empty() ? ". No backup is known: --backup-dir names no folder of any"
                                      : absl::StrCat(". The newest backup is ", newest)));
}

}  // namespace

// In dependency order: each member uses only those above it.
struct CoordinatorServer::State {
  CoordinatorConfig config;
  SystemClock wall;
  BootClock steady;
  MetricsRegistry registry;
  std::string version;
  std::unique_ptr<KeyedJobStore> store;
  TraceMetrics trace_metrics{&registry};
  std::unique_ptr<TraceExporter> traces;     // null: none are sent
  std::unique_ptr<Provisioner> provisioner;  // null: no pools
  std::unique_ptr<Coordinator> coordinator;
  std::unique_ptr<AuditLog> audit;
  std::unique_ptr<StoreBackups> backups;
  std::unique_ptr<BackupSchedule> schedule;
  std::vector<std::unique_ptr<ProvisionRunner>> runners;  // one of each pool
  std::unique_ptr<WorkPool> pool;                         // calls of users
  std::unique_ptr<WorkPool> session_pool;  // agents' sessions: no user's call delays a heartbeat
  std::unique_ptr<AccessControl> access;
  std::unique_ptr<ExposureNotice> exposure;
  OpenStreams streams{"the coordinator", kUserStreamsMax, kCallerStreamsMax};
  OpenStreams sessions{"the coordinator"};  // as many as there are agents
  ArtifactRelay relay;
  std::unique_ptr<CoordinatorLoop> loop;
  std::unique_ptr<HookSender> hooks;  // null: there are none
  std::unique_ptr<CoordinatorMetrics> metrics;
  std::unique_ptr<CoordinatorService> user_service;
  std::unique_ptr<WorkerControlService> worker_service;
  std::unique_ptr<RpcServer> rpc;
  std::unique_ptr<StatusPage> page;
  std::unique_ptr<PageActions> page_actions;
  std::unique_ptr<PageCache> page_cache;
  std::unique_ptr<HttpServer> http;
  bool is_shut_down = false;

  void SendTraces(CoordinatorOptions* options);
  absl::Status OpenCore();
  absl::Status OpenProvisioner();
  absl::Status Listen();
  absl::Status ServeHttp();
};

void CoordinatorServer::State::SendTraces(CoordinatorOptions* options) {
  TraceExporter::Options exporter;
  exporter.resource = config.traces.resource;
  exporter.resource.emplace("service.version", version);
  exporter.version = version;
  exporter.backoff.seed = std::random_device()();
  traces = std::make_unique<TraceExporter>(
      exporter,
      [post = OtlpPost(config.traces)](const std::string& body, const std::stop_token& stop) {
        return post.Send(body, stop);
      },
      store.get(), trace_metrics);
  options->traces = true;
  options->on_job_end = [this](const JobPtr& job) { traces->Add(job); };
  Log(LogLevel::kInfo, "traces of jobs are sent",
      {{"to", config.traces.url.substr(0, config.traces.url.find('?'))}});
}

absl::Status CoordinatorServer::State::OpenProvisioner() {
  if (config.pools.empty()) return absl::OkStatus();
  const Provisioner::Dependencies dependencies{store.get(),
                                               [] { return RandomId(kProvisionIdBytes); }};
  FPO_ASSIGN_OR_RETURN(provisioner, Provisioner::Open(config.pools, dependencies));
  ShowProvisioning(&registry, provisioner.get());
  return absl::OkStatus();
}

absl::Status CoordinatorServer::State::OpenCore() {
  CoordinatorOptions options = config.options;
  if (!config.traces.url.empty()) SendTraces(&options);
  FPO_RETURN_IF_ERROR(OpenProvisioner());
  auto opened = Coordinator::Open(options, {store.get(), &wall, &steady, provisioner.get()});
  if (!opened.ok()) return WithNewestBackup(opened.status(), config.backup_dir);
  coordinator = *std::move(opened);
  FPO_ASSIGN_OR_RETURN(audit, AuditLog::Open(store.get()));
  backups = std::make_unique<StoreBackups>(
      StoreBackups::Options{config.backup_dir, config.backup_keep}, store.get());
  schedule = std::make_unique<BackupSchedule>(
      BackupSchedule::Dependencies{backups.get(), &wall, &steady, &registry}, config.backup_every);
  for (const ProvisionPool& each : config.pools) {
    runners.push_back(std::make_unique<ProvisionRunner>(
        each, ProvisionRunner::Dependencies{provisioner.get(), audit.get(), &wall, &steady}));
  }
  pool = std::make_unique<WorkPool>(WorkPool::Options{});
  session_pool = std::make_unique<WorkPool>(WorkPool::Options{.threads = kSessionThreads});
  loop = std::make_unique<CoordinatorLoop>(coordinator.get(), audit.get(),
                                           CoordinatorLoop::Options{.streams = &streams});
  metrics = std::make_unique<CoordinatorMetrics>(&registry, coordinator.get());
  ShowNumbers(&registry, "fpo_store_", "Space on the store's file system; 1: so it is.",
              [this] { return store->Space(); });
  ShowNumbers(&registry, "fpo_rocksdb_", "RocksDB's own number of this name.",
              [this] { return store->Properties(); });
  return absl::OkStatus();
}

absl::Status CoordinatorServer::State::Listen() {
  user_service = std::make_unique<CoordinatorService>(
      CoordinatorService::Dependencies{coordinator.get(), pool.get(), &streams, &wall, access.get(),
                                       &relay, audit.get(), schedule.get()});
  worker_service = std::make_unique<WorkerControlService>(
      WorkerSession::Dependencies{coordinator.get(), session_pool.get(), &sessions, &relay},
      pool.get(), access.get(), audit.get());
  RpcServerOptions options;
  options.listen = config.listen.listen;
  options.tls = config.listen.tls;
  options.insecure = config.listen.insecure;
  options.services = {{pb::Coordinator::service_full_name(), user_service.get()},
                      {pb::WorkerControl::service_full_name(), worker_service.get()}};
  options.on_handled = CountCalls(&registry);
  FPO_ASSIGN_OR_RETURN(rpc, RpcServer::Start(std::move(options)));
  ShowNumbers(&registry, "fpo_connections_", "Connections to the gRPC address.",
              [this] { return rpc->ConnectionNumbers(); });
  return config.listen.http.empty() ? absl::OkStatus() : ServeHttp();
}

absl::Status CoordinatorServer::State::ServeHttp() {
  HttpRoutes routes = ObservationRoutes(
      &registry, [this] { return loop->CheckTurning(); },
      [this] {
        const absl::Status reachable = rpc->Health();
        return reachable.ok() ? coordinator->Ready() : reachable;
      });
  page_actions = std::make_unique<PageActions>(rpc->InProcessChannel(), config.listen);
  TlsFiles cache_tls = config.listen.tls;
  if (!config.cache_ca.empty()) cache_tls.ca = config.cache_ca;
  FPO_ASSIGN_OR_RETURN(
      page_cache,
      PageCache::Create({.address = config.cache, .tls = cache_tls, .has_list = access->has_list()},
                        coordinator.get()));
  page = std::make_unique<StatusPage>(coordinator.get(),
                                      StatusPage::Facts{.wants_token = access->has_list(),
                                                        .changes = page_actions->allowed(),
                                                        .cache = config.cache});
  page->AddTo(&routes);
  HttpCallRoutes calls = page_actions->Routes();
  calls.merge(page_cache->Routes());
  FPO_ASSIGN_OR_RETURN(http, HttpServer::Start(config.listen.http, std::move(routes),
                                               page->QueryRoutes(), std::move(calls)));
  return absl::OkStatus();
}

CoordinatorServer::CoordinatorServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

CoordinatorServer::~CoordinatorServer() { Shutdown(); }

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(
    const CoordinatorConfig& config, const std::string& version, const std::string& commit) {
  FPO_RETURN_IF_ERROR(config.Validate());
  FPO_RETURN_IF_ERROR(MakePrivateFolder(config.data));
  absl::StatusOr<std::unique_ptr<RocksdbJobStore>> store =
      RocksdbJobStore::Open(config.data, config.reserve_bytes);
  if (!store.ok()) return WithNewestBackup(store.status(), config.backup_dir);
  return Start(config, *std::move(store), {version, commit});
}

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(
    const CoordinatorConfig& config, std::unique_ptr<KeyedJobStore> store, const Build& build) {
  std::unique_ptr<CoordinatorServer> server(new CoordinatorServer(std::make_unique<State>()));
  State& state = *server->state_;
  state.config = config;
  state.store = std::move(store);
  state.version = build.version;
  AddBuildInfo(&state.registry, build.version, build.commit);
  ShowProcess(&state.registry);
  state.registry
      .AddGauge("fpo_coordinator_leads", "1 on the coordinator that leads, 0 on standbys.")
      .Set(1);
  FPO_ASSIGN_OR_RETURN(state.access, AccessControl::Open(config.listen.access));
  ShowAccessList(&state.registry, state.access.get());
  FPO_RETURN_IF_ERROR(state.OpenCore());
  state.loop->Start();
  state.exposure = std::make_unique<ExposureNotice>(config.listen);
  state.schedule->Start();
  if (!config.webhooks.empty()) {
    FPO_ASSIGN_OR_RETURN(HookSettings settings, ReadHookFile(config.webhooks));
    FPO_ASSIGN_OR_RETURN(
        state.hooks,
        HookSender::Start(std::move(settings), {state.coordinator.get(), state.store.get(),
                                                &state.wall, &state.steady, &state.registry}));
  }
  for (const auto& runner : state.runners) runner->Start();
  FPO_RETURN_IF_ERROR(state.Listen());
  FPO_RETURN_IF_ERROR(
      WritePortFile(config.listen.port_file, server->grpc_address(), server->http_address()));
  Log(LogLevel::kInfo, "listening",
      {{"grpc", server->grpc_address()},
       {"http", server->http_address()},
       {"store", state.store->values().Name()}});
  return server;
}

std::string CoordinatorServer::grpc_address() const { return state_->rpc->address(); }

std::string CoordinatorServer::http_address() const {
  return state_->http ? state_->http->address() : "";
}

void CoordinatorServer::Shutdown() {
  if (std::exchange(state_->is_shut_down, true)) return;
  const absl::Status why =
      absl::UnavailableError("the coordinator is shutting down; jobs continue");
  if (state_->rpc) state_->rpc->SetServing("", false);
  state_->http.reset();
  if (state_->rpc) {
    state_->coordinator->Flush();  // what agents sent is acknowledged before they are cut off
    state_->streams.EndAll(why);
    state_->sessions.EndAll(why);
    state_->rpc->Shutdown(state_->config.grace);
  }
  if (state_->traces) state_->traces->Stop();
  if (state_->hooks) state_->hooks->Stop();
  for (const auto& runner : state_->runners) runner->Stop();
  if (state_->schedule) state_->schedule->Stop();
  if (state_->loop) state_->loop->Stop();
  if (state_->session_pool) state_->session_pool->Stop();
  if (state_->pool) state_->pool->Stop();
}

}  // namespace fpo::coordinator
