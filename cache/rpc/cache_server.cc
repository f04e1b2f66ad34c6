#include "cache/rpc/cache_server.h"

#include <malloc.h>

#include <atomic>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/core/collection/garbage_collector.h"
#include "cache/core/collection/upkeep_loop.h"
#include "cache/core/store/backups.h"
#include "cache/core/store/rocksdb_store.h"
#include "cache/rpc/bucket_tier.h"
#include "cache/rpc/cache_metrics.h"
#include "cache/rpc/cache_service.h"
#include "cache/rpc/upstream.h"
#include "common/clock.h"
#include "common/files/private_folder.h"
#include "common/observe/http_server.h"
#include "common/observe/log.h"
#include "common/observe/process_metrics.h"
#include "common/rpc/call_metrics.h"
#include "common/rpc/exposure_notice.h"
#include "common/status_macros.h"
#include "common/ticker.h"

namespace fpo::cache {
namespace {

constexpr absl::Duration kPace = absl::Milliseconds(250);  // of waiting streams
constexpr absl::Duration kCachePace = absl::Seconds(1);    // of claims and recovery
constexpr int64_t kFreedBytesMin = 16 << 20;

// A copy may be made by this program or an earlier one, and removed by anybody.
void ShowBackups(MetricsRegistry* registry, const Backups* backups) {
  static constexpr char kName[] = "fpo_cache_backup_last_success_timestamp_seconds";
  static constexpr char kHelp[] = "When the newest copy of the store was made.";
  registry->DeclareGauge(kName, kHelp);
  auto shown = std::make_shared<std::optional<Gauge>>();
  registry->OnScrape([registry, backups, shown] {
    const std::optional<absl::Time> newest = backups->NewestTime();
    if (!newest.has_value() && shown->has_value()) {
      registry->Remove(kName, **shown);
      shown->reset();
    }
    if (!newest.has_value()) return;
    if (!shown->has_value()) *shown = registry->AddGauge(kName, kHelp);
    (*shown)->Set(absl::ToDoubleSeconds(*newest - absl::UnixEpoch()));
  });
}

}  // namespace

// In the order of construction; destroyed from the last to the first.
struct CacheServer::State {
  explicit State(const CacheConfig& c) : config(c) {}

  absl::Status OpenStore();
  absl::Status JoinTiers();
  absl::Status Listen(const std::string& version);
  absl::Status ServeHttp();
  void Turn(absl::Time now);

  const CacheConfig config;
  const SystemClock clock;
  const BootClock boot_clock;
  MetricsRegistry registry;
  std::unique_ptr<RocksdbStore> store;
  std::unique_ptr<ReferenceCache> cache;
  std::unique_ptr<CacheMetrics> metrics;
  std::unique_ptr<GarbageCollector> collector;
  std::unique_ptr<Backups> backups;
  std::unique_ptr<UpkeepLoop> upkeep;
  std::unique_ptr<AccessControl> access;
  std::unique_ptr<ExposureNotice> exposure;
  std::unique_ptr<Upstream> upstream;
  std::unique_ptr<BucketTier> bucket;
  std::unique_ptr<WorkPool> pool;
  std::unique_ptr<WorkPool> transfers;  // of a replica
  std::unique_ptr<OpenStreams> streams;
  std::atomic<int64_t> freed_bytes = 0;
  std::unique_ptr<CacheService> service;
  std::unique_ptr<RpcServer> server;
  std::unique_ptr<Ticker> ticker;
  std::unique_ptr<HttpServer> http;

  // Used only by the ticker's thread.
  absl::Time next_cache_tick = absl::InfinitePast();
};

absl::Status CacheServer::State::OpenStore() {
  FPO_ASSIGN_OR_RETURN(
      store, RocksdbStore::Open({.path = config.data,
                                 .block_cache_bytes = config.block_cache_mib << 20,
                                 .free_bytes_min = config.free_mib_min << 20,
                                 // 0 requests no reserve at all.
                                 .free_fraction_min = config.free_mib_min > 0 ? 0.05 : 0.0}));
  ReferenceCacheOptions options;
  options.claims.lease = config.lease;
  options.keys_in_memory_max = config.keys_in_memory_max;
  options.keep.unused = config.keep_unused;
  options.keep.evict_bytes = config.evict_mib << 20;
  options.keep.reject_bytes = config.reject_mib << 20;
  FPO_ASSIGN_OR_RETURN(cache, ReferenceCache::Open(store.get(), {&clock, &boot_clock}, options));
  metrics = std::make_unique<CacheMetrics>(&registry, cache.get());
  ShowNumbers(&registry, "fpo_rocksdb_", "RocksDB's own number of this name.",
              [this] { return store->Properties(); });
  collector = std::make_unique<GarbageCollector>(cache.get());
  backups = std::make_unique<Backups>(Backups::Options{.folder = config.backups}, store.get());
  ShowBackups(&registry, backups.get());
  upkeep = std::make_unique<UpkeepLoop>(
      UpkeepOptions{.scrub_bytes_per_second = config.scrub_mib_per_second << 20,
                    .scrub_every = config.scrub_every,
                    .collect_every = config.gc_every},
      cache.get(), collector.get());
  return absl::OkStatus();
}

absl::Status CacheServer::State::JoinTiers() {
  BucketTier::Declare(&registry);
  if (!config.bucket.empty()) {
    FPO_ASSIGN_OR_RETURN(bucket, BucketTier::Open(config, cache.get(), &registry));
  }
  if (config.replica_of.empty()) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(
      upstream,
      Upstream::Create({config.replica_of, config.listen.tls, config.token_file}, cache.get()));
  return absl::OkStatus();
}

absl::Status CacheServer::State::Listen(const std::string& version) {
  pool = std::make_unique<WorkPool>(WorkPool::Options{.threads = config.threads});
  if (upstream) {
    transfers = std::make_unique<WorkPool>(WorkPool::Options{.threads = config.threads});
  }
  streams = std::make_unique<OpenStreams>("the cache", config.streams_max);
  service = std::make_unique<CacheService>(
      StreamContext{.cache = cache.get(),
                    .pool = pool.get(),
                    .streams = streams.get(),
                    .collector = collector.get(),
                    .backups = backups.get(),
                    .access = access.get(),
                    .upstream = upstream.get(),
                    .transfers = transfers.get(),
                    .bucket = bucket.get(),
                    .verify_files = [this] { return store->VerifyFiles(); },
                    .idle_max = config.idle,
                    .freed_bytes = &freed_bytes,
                    .bytes_in = metrics->bytes_in(),
                    .bytes_out = metrics->bytes_out(),
                    .first_byte_seconds = metrics->first_byte_seconds()},
      version);
  RpcServerOptions options;
  options.listen = config.listen.listen;
  options.tls = config.listen.tls;
  options.insecure = config.listen.insecure;
  options.services = {{fpo::v1::ReferenceCache::service_full_name(), service.get()}};
  options.on_handled = [count = CountCalls(&registry), this](const HandledCall& call) {
    count(call);
    if (call.service == fpo::v1::ReferenceCache::service_full_name()) metrics->CountRequest(call);
  };
  FPO_ASSIGN_OR_RETURN(server, RpcServer::Start(std::move(options)));
  ShowNumbers(&registry, "fpo_connections_", "Connections to the gRPC address.",
              [this] { return server->ConnectionNumbers(); });
  return absl::OkStatus();
}

absl::Status CacheServer::State::ServeHttp() {
  if (config.listen.http.empty()) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(
      http, HttpServer::Start(config.listen.http,
                              ObservationRoutes(
                                  &registry, [this] { return ticker->CheckTurning(); },
                                  [this] {
                                    const absl::Status reachable = server->Health();
                                    return reachable.ok() ? cache->Writable() : reachable;
                                  })));
  return absl::OkStatus();
}

void CacheServer::State::Turn(absl::Time now) {
  if (now >= next_cache_tick) {
    next_cache_tick = now + kCachePace;
    cache->Tick();
    // Otherwise each thread would keep the memory of the largest upload it ever stored. Not after
    // every store: taking the pages again costs as much as a tenth of an upload.
    if (freed_bytes >= kFreedBytesMin) {
      freed_bytes = 0;
      malloc_trim(0);
    }
  }
  streams->Tick(now);
}

CacheServer::CacheServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<CacheServer>> CacheServer::Start(const CacheConfig& config,
                                                                const std::string& version,
                                                                const std::string& commit) {
  auto state = std::make_unique<State>(config);
  AddBuildInfo(&state->registry, version, commit);
  ShowProcess(&state->registry);
  FPO_RETURN_IF_ERROR(MakePrivateFolder(config.data));
  FPO_ASSIGN_OR_RETURN(state->access, AccessControl::Open(config.listen.access));
  ShowAccessList(&state->registry, state->access.get());
  FPO_RETURN_IF_ERROR(state->OpenStore());
  FPO_RETURN_IF_ERROR(state->JoinTiers());
  FPO_RETURN_IF_ERROR(state->Listen(version));
  auto server = std::unique_ptr<CacheServer>(new CacheServer(std::move(state)));
  State& s = *server->state_;
  s.ticker = std::make_unique<Ticker>(kPace, [&s](absl::Time now) { s.Turn(now); });
  s.upkeep->Start();
  if (s.bucket) s.bucket->Start();
  s.exposure = std::make_unique<ExposureNotice>(config.listen);
  FPO_RETURN_IF_ERROR(s.ServeHttp());
  FPO_RETURN_IF_ERROR(
      WritePortFile(config.listen.port_file, server->address(), server->http_address()));
  const StoreTotals totals = s.store->Totals();
  Log(LogLevel::kInfo, "serving",
      {{"grpc", server->address()},
       {"http", server->http_address()},
       {"data", config.data},
       {"records", absl::StrCat(totals.records)},
       {"manifests", absl::StrCat(totals.manifests)},
       {"boot", absl::StrCat(s.store->BootNumber())}});
  return server;
}

CacheServer::~CacheServer() { Shutdown(); }

std::string CacheServer::address() const { return state_->server->address(); }
std::string CacheServer::http_address() const {
  return state_->http ? state_->http->address() : "";
}

void CacheServer::Shutdown() {
  State& s = *state_;
  if (s.upstream) s.upstream->Stop();
  if (s.bucket) s.bucket->RequestStop();
  if (s.server) s.server->Shutdown(s.config.grace);
  s.http.reset();
  if (s.ticker) s.ticker->Stop();
  if (s.upkeep) s.upkeep->Stop();
  if (s.transfers) s.transfers->Stop();
  if (s.bucket) s.bucket->Stop();
  if (s.pool) s.pool->Stop();
}

}  // namespace fpo::cache
