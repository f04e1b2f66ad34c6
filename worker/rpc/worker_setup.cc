#include "worker/rpc/worker_setup.h"

#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/access_list.h"
#include "common/object_store/s3_object_store.h"
#include "common/observe/log.h"
#include "common/status_macros.h"

namespace fpo::worker {

absl::StatusOr<std::unique_ptr<CgroupTree>> OpenCgroups(const WorkerConfig& config) {
  if (config.cgroup == "off") return nullptr;
  CgroupTree::Options options;
  options.where = config.cgroup;
  options.work_dir = config.work_dir;
  options.memory_bytes = config.memory_max_mib << 20;
  absl::StatusOr<std::unique_ptr<CgroupTree>> tree = CgroupTree::Open(options);
  if (absl::IsUnavailable(tree.status()) && config.memory_max_mib == 0) {
    Log(LogLevel::kInfo, "ranks run without cgroups of their own",
        {{"why", std::string(tree.status().message())}});
    return nullptr;
  }
  FPO_RETURN_IF_ERROR(tree.status());
  Log(LogLevel::kInfo, "each rank gets a cgroup",
      {{"below", (*tree)->path()}, {"memory", (*tree)->has_memory() ? "counted" : "not counted"}});
  return tree;
}

ObjectStores OpenObjectStores(const WorkerConfig& config) {
  const absl::StatusOr<S3Settings> settings = S3SettingsOf(config.environment);
  if (!settings.ok()) {
    Log(LogLevel::kError,
        absl::StrCat("jobs may have no s3:// URLs here: ", settings.status().message()));
    return {};
  }
  S3ObjectStore::Options options;
  options.settings = *settings;
  options.backoff.seed = std::random_device()();
  ObjectStores stores;
  stores.objects = std::make_unique<S3ObjectStore>(std::move(options));
  InputStore::Options input_options;
  input_options.folder = config.work_dir + "/inputs";
  input_options.bytes_max = config.inputs_max_mib << 20;
  input_options.disk_reserve_bytes = config.disk_reserve_mib << 20;
  stores.inputs = std::make_unique<InputStore>(input_options, stores.objects.get());
  return stores;
}

void ShowTokenFile(MetricsRegistry* registry, const std::string& file) {
  static constexpr char kName[] = "fpo_agent_token_file_ok";
  static constexpr char kHelp[] = "0 while the file of --token-file cannot be read.";
  registry->DeclareGauge(kName, kHelp);
  if (file.empty()) return;
  const Gauge ok = registry->AddGauge(kName, kHelp);
  registry->OnScrape([ok, file] { ok.Set(ReadTokenFile(file).ok() ? 1 : 0); });
}

}  // namespace fpo::worker
