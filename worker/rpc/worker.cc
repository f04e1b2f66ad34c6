#include "worker/rpc/worker.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/files/private_folder.h"
#include "common/hash.h"
#include "common/nvidia.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/observe/process_metrics.h"
#include "common/status_macros.h"
#include "worker/core/agent.h"
#include "worker/core/device/device_choice.h"
#include "worker/core/device/gpu_metrics.h"
#include "worker/core/device/nvml.h"
#include "worker/core/exported_checkpoints.h"
#include "worker/core/host/home.h"
#include "worker/core/host/host_check.h"
#include "worker/core/host/host_memory.h"
#include "worker/core/host/known_store.h"
#include "worker/core/host/preflight.h"
#include "worker/core/objects/hub_cache.h"
#include "worker/rpc/grpc_cache_link.h"
#include "worker/rpc/grpc_coordinator_link.h"
#include "worker/rpc/worker_setup.h"

namespace fpo::worker {
namespace {

// Time at shutdown for the last reports and logs to be acknowledged.
constexpr absl::Duration kFarewell = absl::Seconds(5);
// A checkpoint of a large model on slow storage.
constexpr absl::Duration kExportTime = absl::Hours(1);

Agent::Options AgentOptions(const WorkerConfig& config) {
  Agent::Options options;
  options.slots = config.slots;
  options.abandon_after = config.abandon_after;
  options.grace = config.grace;
  options.exit_when_idle = config.exit_when_idle;
  AttemptOptions& attempt = options.attempt;
  attempt.stall_timeout = config.stall_timeout;
  attempt.work_dir = config.work_dir;
  attempt.worker_id = config.name;
  attempt.environment = config.environment;
  attempt.hub_cache = HubCacheOf(config.environment);
  attempt.disk_reserve_bytes = config.disk_reserve_mib << 20;
  attempt.trainer.path = config.trainer;
  attempt.trainer.device = config.device;
  const int threads = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
  attempt.trainer.threads = std::max(threads / config.slots, 1);
  attempt.reference.backoff.seed = std::random_device()();
  return options;
}

std::optional<std::string> VariableIn(const std::vector<std::string>& environment,
                                      absl::string_view name) {
  for (const std::string& entry : environment) {
    absl::string_view rest = entry;
    if (absl::ConsumePrefix(&rest, name) && absl::ConsumePrefix(&rest, "=")) {
      return std::string(rest);
    }
  }
  return std::nullopt;
}

GrpcCoordinatorLink::Options LinkOptions(const WorkerConfig& config, const std::string& version) {
  GrpcCoordinatorLink::Options options;
  options.address = config.coordinator;
  options.tls = config.listen.tls;
  options.token_file = config.token_file;
  options.hello.worker_id = config.name;
  options.hello.instance_id = RandomId(16);
  options.hello.host = config.host;
  options.hello.version = version;
  options.hello.slots = config.slots;
  options.hello.device = FromName<DeviceKind>(config.device);
  options.hello.work_dir = config.work_dir;
  options.hello.labels = config.labels;
  options.hello.memory_bytes = HostMemoryBytes();
  if (const int64_t most = config.memory_max_mib << 20; most > 0) {
    options.hello.memory_bytes = std::min(options.hello.memory_bytes, most);
  }
  return options;
}

void WarnOfRoot() {
  if (geteuid() != 0) return;
  Log(LogLevel::kWarning, "jobs run as root: whoever can submit one can read and write anything",
      {{"remedy", "start the worker as a user of its own"}});
}

}  // namespace

// In the order of construction: what is below uses what is above.
struct Worker::Parts {
  WorkerConfig config;  // `device` as it was chosen
  BootClock clock;
  MetricsRegistry registry;
  AgentMetrics metrics{&registry};
  std::unique_ptr<ProcessJournal> journal;
  std::unique_ptr<CgroupTree> cgroups;  // null: none
  Spawner spawner;
  std::unique_ptr<DeviceProbe> devices;  // null: no GPUs are known
  std::unique_ptr<DeviceGate> gate;      // null: no GPUs are used, or checks are off
  DeviceDecision choice;
  std::unique_ptr<GrpcCacheLink> cache;
  std::unique_ptr<RecordStore> records;
  JobPlaces places;
  ObjectStores buckets;
  std::unique_ptr<Outbox> outbox;
  std::unique_ptr<KnownStore> store;
  std::atomic<int> pushes = 0;  // files that are being sent
  std::unique_ptr<Agent> agent;
  std::unique_ptr<GpuWatch> gpus;  // null: no GPUs are used
  std::unique_ptr<GpuMetrics> gpu_metrics;
  std::unique_ptr<ProcessSet> tools;  // processes that are no attempt's
  std::unique_ptr<ExportedCheckpoints> exports;
  std::unique_ptr<GrpcCoordinatorLink> link;
  std::unique_ptr<HttpServer> http;

  mutable absl::Mutex mutex;
  absl::Status refusal ABSL_GUARDED_BY(mutex);

  absl::Status FindDevices();
  // Runs fpo-train outside of any attempt; its output.
  absl::StatusOr<std::string> RunTool(const std::string& name,
                                      const std::vector<std::string>& words,
                                      absl::Duration answer_time);
  absl::StatusOr<std::string> TryCuda();
  void MakeExports();
  std::vector<Device> DevicesNow();
  absl::Status MakePlaces();
  void MakeStores();
  void MakeAgent(std::function<void()> on_leave);
  void WatchGpus();
  absl::Status Listen();
};

absl::Status Worker::Parts::FindDevices() {
  DeviceQuestion question;
  question.asked = config.device;
  question.slots = config.slots;
  question.visible_devices = VariableIn(config.environment, "CUDA_VISIBLE_DEVICES");
  question.try_cuda = [this] { return TryCuda(); };
  if (config.device != "cpu") {
    DeviceProbeOptions options;
    options.path = VariableIn(config.environment, "PATH").value_or("");
    devices = FindDeviceProbe(options, &spawner);
    question.probe = devices.get();
    question.has_files = !NvidiaDeviceFiles().empty();
  }
  FPO_ASSIGN_OR_RETURN(choice, ChooseDevice(question));
  Log(choice.problem.empty() ? LogLevel::kInfo : LogLevel::kError, "jobs compute here",
      {{"device", choice.device}, {"asked", config.device}, {"why", choice.why}});
  config.device = choice.device;
  if (!devices || config.device != "cuda" || config.device_idle_mib == 0) return absl::OkStatus();
  DeviceGate::Options gate_options;
  gate_options.used_bytes_max = config.device_idle_mib << 20;
  gate_options.slots = choice.slots;
  gate = std::make_unique<DeviceGate>(devices.get(), gate_options);
  return absl::OkStatus();
}

absl::StatusOr<std::string> Worker::Parts::RunTool(const std::string& name,
                                                   const std::vector<std::string>& words,
                                                   absl::Duration answer_time) {
  RankCommand trainer;
  trainer.identity.attempt.job_id = name;
  trainer.spawn.argv = {config.trainer};
  trainer.spawn.environment = RankEnvironment(config.environment, trainer.identity, "");
  trainer.spawn.folder = config.work_dir;
  return AskTrainer(trainer, words, answer_time, tools.get());
}

absl::StatusOr<std::string> Worker::Parts::TryCuda() {
  return RunTool("devices", {"inspect", "--devices", "--device", "cuda"}, absl::Minutes(1));
}

void Worker::Parts::MakeExports() {
  const auto make = [this](const std::string& checkpoint, const std::string& folder) {
    return RunTool("export", {"export", checkpoint, "--out", folder, "--merge", "--device", "cpu"},
                   kExportTime)
        .status();
  };
  exports =
      std::make_unique<ExportedCheckpoints>(make, [this] { tools->Stop(absl::ZeroDuration()); });
}

// The GPUs of the slots, with what is in use of them now.
std::vector<Device> Worker::Parts::DevicesNow() {
  std::vector<Device> shown;
  if (devices == nullptr) return shown;
  const std::vector<Device> all = devices->Read().value_or(std::vector<Device>());
  for (const SlotDevice& slot : choice.slots) {
    for (const Device& device : all) {
      if (slot.device.has_value() && slot.device->uuid == device.uuid) shown.push_back(device);
    }
  }
  return shown;
}

void Worker::Parts::MakeStores() {
  RecordStore::Options records_options;
  records_options.folder = config.work_dir + "/records";
  records_options.bytes_max = config.records_max_mib << 20;
  records = std::make_unique<RecordStore>(records_options, cache.get());
  Outbox::Options outbox_options;
  outbox_options.folder = config.work_dir + "/spool";
  outbox_options.spool.total_bytes_max = static_cast<size_t>(config.spool_max_mib) << 20;
  outbox = std::make_unique<Outbox>(outbox_options, &metrics);
}

absl::Status Worker::Parts::MakePlaces() {
  FPO_ASSIGN_OR_RETURN(places, PlacesOf(config.roots, config.output_roots));
  places.judges = config.JudgeServers();
  places.pushed_outputs = config.work_dir + "/outputs";
  return absl::OkStatus();
}

void Worker::Parts::MakeAgent(std::function<void()> on_leave) {
  Agent::Options options = AgentOptions(config);
  options.attempt.places = places;
  options.closed = choice.problem;
  options.on_leave = std::move(on_leave);
  options.is_sending = [this] { return pushes > 0; };
  for (const SlotDevice& slot : choice.slots) options.visible_devices.push_back(slot.visible_as);
  // Called only by running attempts, which the agent outlives.
  options.attempt.reference.may_claim = [this] { return agent->HasLease(); };
  agent = std::make_unique<Agent>(std::move(options),
                                  AttemptServices{.spawner = &spawner,
                                                  .journal = journal.get(),
                                                  .cache = cache.get(),
                                                  .records = records.get(),
                                                  .outbox = outbox.get(),
                                                  .metrics = &metrics,
                                                  .gate = gate.get(),
                                                  .cgroups = cgroups.get(),
                                                  .objects = buckets.objects.get(),
                                                  .inputs = buckets.inputs.get()},
                                  &clock);
}

// With an NVML of its own: the thread of a driver that hangs is left behind with it.
void Worker::Parts::WatchGpus() {
  GpuMetrics::Source source;
  for (const SlotDevice& slot : choice.slots) {
    if (config.device == "cuda" && slot.device.has_value()) source.uuids.insert(slot.device->uuid);
  }
  if (!source.uuids.empty() && devices != nullptr && devices->name() == "nvml") {
    const auto open = []() -> absl::StatusOr<GpuWatch::Sampler> {
      FPO_ASSIGN_OR_RETURN(std::unique_ptr<Nvml> nvml, Nvml::Open(DeviceProbeOptions().nvml));
      return [shared = std::shared_ptr<Nvml>(std::move(nvml))] { return shared->Sample(); };
    };
    gpus = std::make_unique<GpuWatch>(open, GpuWatch::Options{.clock = &clock});
  }
  source.watch = gpus.get();
  source.held = [this] {
    std::set<std::string> held;
    const std::vector<bool> slots = agent->HeldSlots();
    for (size_t i = 0; i < slots.size() && i < choice.slots.size(); ++i) {
      if (slots[i] && choice.slots[i].device) held.insert(choice.slots[i].device->uuid);
    }
    return held;
  };
  gpu_metrics = std::make_unique<GpuMetrics>(&registry, std::move(source));
}

absl::Status Worker::Parts::Listen() {
  if (!config.listen.http.empty()) {
    HttpRoutes routes = ObservationRoutes(
        &registry, [] { return absl::OkStatus(); }, [this] { return agent->Ready(); });
    // A supervisor that restarted the agent for this would kill the ranks that are to continue.
    routes["/healthz"] = [this] {
      const absl::Status store_status = agent->CheckStore();
      if (store_status.ok()) return HttpReply{.body = "ok\n"};
      return HttpReply{.body = absl::StrCat("ok, but WRONG_STORE: ", store_status.message(), "\n")};
    };
    FPO_ASSIGN_OR_RETURN(http, HttpServer::Start(config.listen.http, std::move(routes)));
  }
  return WritePortFile(config.listen.port_file, "", http ? http->address() : "");
}

Worker::Worker(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Worker::~Worker() = default;

absl::Status Worker::refusal() const {
  absl::MutexLock lock(&parts_->mutex);
  return parts_->refusal;
}

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(const WorkerConfig& config,
                                                      const Build& build,
                                                      std::function<void()> on_over) {
  auto parts = std::make_unique<Parts>();
  parts->config = config;
  AddBuildInfo(&parts->registry, build.version, build.commit);
  ShowProcess(&parts->registry);
  FPO_RETURN_IF_ERROR(config.CheckUser(geteuid() == 0));
  FPO_RETURN_IF_ERROR(config.CheckRoots());
  WarnOfRoot();
  FPO_RETURN_IF_ERROR(MakePrivateFolder(config.work_dir));
  FPO_ASSIGN_OR_RETURN(parts->journal, ProcessJournal::Open(config.work_dir));
  parts->tools =
      std::make_unique<ProcessSet>(&parts->spawner, parts->journal.get(), &parts->metrics);
  FPO_ASSIGN_OR_RETURN(const Home home, OpenHome(config.work_dir));
  FPO_ASSIGN_OR_RETURN(parts->store, KnownStore::Open(config.work_dir));
  FPO_ASSIGN_OR_RETURN(parts->cgroups, OpenCgroups(config));
  const int in_cgroups = parts->cgroups ? parts->cgroups->killed_at_start() : 0;
  if (const int killed = parts->journal->killed_at_start() + in_cgroups; killed > 0) {
    Log(LogLevel::kWarning, "killed what an earlier agent left behind",
        {{"processes", absl::StrCat(killed)}});
  }
  RemoveOldWork(config.work_dir);
  FPO_ASSIGN_OR_RETURN(parts->cache, GrpcCacheLink::Create({config.cache, config.listen.tls,
                                                            config.token_file, &parts->registry}));
  FPO_RETURN_IF_ERROR(parts->FindDevices());
  FPO_RETURN_IF_ERROR(parts->MakePlaces());
  parts->MakeStores();
  parts->buckets = OpenObjectStores(config);
  if (const int lines = parts->outbox->Recover(); lines > 0) {
    Log(LogLevel::kInfo, "recovered unsent lines of an earlier agent",
        {{"lines", absl::StrCat(lines)}});
  }
  parts->MakeAgent(on_over);
  parts->WatchGpus();
  ShowTokenFile(&parts->registry, config.token_file);
  parts->MakeExports();
  GrpcCoordinatorLink::Options link = LinkOptions(parts->config, build.version);
  link.hello.home_id = home.id;
  link.hello.boot_id = home.boot_id;
  link.store = parts->store.get();
  link.pushes = &parts->pushes;
  link.on_refused = [raw = parts.get(), on_over = std::move(on_over)](const auto& status) {
    Log(LogLevel::kError, absl::StrCat("this worker ends: ", status.message()));
    {
      absl::MutexLock lock(&raw->mutex);
      raw->refusal = status;
    }
    on_over();
  };
  link.export_checkpoint = [raw = parts.get()](const std::string& checkpoint) {
    return raw->exports->FolderOf(checkpoint);
  };
  link.may_serve = [places = parts->places](ServeArtifactCommand* order) {
    order->folder = LocalOutput(places, order->folder);
    return MayServe(places, *order);
  };
  link.devices = [raw = parts.get()] { return raw->DevicesNow(); };
  FPO_ASSIGN_OR_RETURN(parts->link,
                       GrpcCoordinatorLink::Start(std::move(link), parts->agent.get()));
  FPO_RETURN_IF_ERROR(parts->Listen());
  Log(LogLevel::kInfo, "ready",
      {{"worker", config.name},
       {"slots", absl::StrCat(config.slots)},
       {"device", parts->config.device},
       {"coordinator", config.coordinator},
       {"cache", config.cache},
       {"trainer", config.trainer}});
  return std::unique_ptr<Worker>(new Worker(std::move(parts)));
}

void Worker::Drain() {
  parts_->agent->Drain(parts_->config.grace, parts_->config.grace + kFarewell);
  parts_->link.reset();
}

}  // namespace fpo::worker
