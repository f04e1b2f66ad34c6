#include "coordinator/core/provision/provision_file.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files/posix_status.h"
#include "common/job/job_yaml.h"
#include "common/status_macros.h"
#include "common/text/duration_text.h"
#include "common/text/label.h"
#include "coordinator/core/provision/kubernetes_engine.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kFileMax = size_t{1} << 20;
constexpr size_t kPoolsMax = 64;
constexpr int64_t kPoolSlotsMax = 1024;
constexpr int64_t kWorkersMax = 10'000;
constexpr size_t kPoolNameMax = 20;

// The keys of one map. The first mistake counts; keys that nobody asked for are one.
class Keys {
 public:
  Keys(const JobNode& node, std::string prefix, const std::string& file)
      : node_(node), prefix_(std::move(prefix)), file_(file) {
    if (node.kind != JobNode::Kind::kMap) Fail(node, "", "must be a map of keys");
  }

  void Fail(const JobNode& at, absl::string_view key, absl::string_view what) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(file_, ":", at.line, ": ", prefix_, key, " ", what));
  }
  const JobNode* Find(const char* key) {
    known_.insert(key);
    return node_.Find(key);
  }
  void Text(const char* key, std::string* value) {
    const JobNode* node = Find(key);
    if (node == nullptr) return;
    if (node->kind != JobNode::Kind::kScalar) return Fail(*node, key, "must be a text");
    *value = node->text;
  }
  void Texts(const char* key, std::vector<std::string>* values) {
    const JobNode* node = Find(key);
    if (node == nullptr) return;
    if (node->kind != JobNode::Kind::kList) return Fail(*node, key, "must be a list of texts");
    for (const JobNode& item : node->items) {
      if (item.kind != JobNode::Kind::kScalar) return Fail(item, key, "must be a list of texts");
      values->push_back(item.text);
    }
  }
  void Count(const char* key, int64_t least, int64_t most, const std::function<void(int64_t)>& to) {
    const JobNode* node = Find(key);
    if (node == nullptr) return;
    int64_t number = 0;
    const bool reads = node->kind == JobNode::Kind::kScalar && !node->quoted &&
                       absl::SimpleAtoi(node->text, &number);
    if (!reads || number < least || number > most) {
      return Fail(*node, key, absl::StrCat("must be a number from ", least, " to ", most));
    }
    to(number);
  }
  void Duration(const char* key, const DurationRange& allowed, absl::Duration* value) {
    const JobNode* node = Find(key);
    if (node == nullptr) return;
    const auto duration = ParseDurationText(node->text);
    if (!duration.ok() || *duration < allowed.least || *duration > allowed.most) {
      return Fail(*node, key,
                  absl::StrCat("must be a time from ", absl::FormatDuration(allowed.least), " to ",
                               absl::FormatDuration(allowed.most)));
    }
    *value = *duration;
  }
  void Path(const char* key, std::string* value) {
    Text(key, value);
    if (value->empty()) return;
    *value = (std::filesystem::path(file_).parent_path() / *value).lexically_normal().string();
  }
  void Require(const char* key, bool holds, absl::string_view what) {
    const JobNode* node = node_.Find(key);
    if (!holds) Fail(node == nullptr ? node_ : *node, key, what);
  }
  void Take(const absl::Status& status) {
    if (status_.ok() && !status.ok()) {
      status_ =
          absl::InvalidArgumentError(absl::StrCat(file_, ":", node_.line, ": ", status.message()));
    }
  }
  absl::Status End() {
    for (const JobMember& member : node_.members) {
      if (known_.count(member.name) == 0) Fail(member.node, member.name, "is no key here");
    }
    return status_;
  }
  const std::string& prefix() const { return prefix_; }
  const std::string& file() const { return file_; }

 private:
  const JobNode& node_;
  const std::string prefix_;
  const std::string& file_;
  std::set<std::string> known_;
  absl::Status status_;
};

constexpr DurationRange kShort = {absl::Milliseconds(100), absl::Hours(1)};
constexpr DurationRange kAny = {absl::ZeroDuration(), absl::Hours(24 * 30)};

absl::Status ReadSlurm(Keys keys, SlurmPool* slurm) {
  SlurmWorkers& workers = slurm->workers;
  keys.Text("coordinator", &workers.coordinator);
  keys.Text("cache", &workers.cache);
  keys.Text("tls_ca", &workers.tls_ca);
  keys.Text("worker_token", &workers.token_file);
  keys.Text("work_dir", &workers.work_dir);
  keys.Texts("root", &workers.roots);
  keys.Texts("output_root", &workers.output_roots);
  keys.Text("time", &workers.time);
  keys.Text("partition", &workers.partition);
  keys.Text("account", &workers.account);
  keys.Count("cpus", 1, kPoolSlotsMax, [&](int64_t count) { workers.cpus = count; });
  keys.Duration("notice", kAny, &workers.notice);
  keys.Texts("options", &slurm->options);
  keys.Text("sbatch", &slurm->sbatch);
  keys.Text("squeue", &slurm->squeue);
  keys.Text("scancel", &slurm->scancel);
  keys.Require("coordinator", !workers.coordinator.empty(), "is missing: host:port");
  keys.Require("cache", !workers.cache.empty(), "is missing: host:port");
  keys.Require("work_dir", !workers.work_dir.empty(), "is missing: a folder on each node");
  keys.Require("root", !workers.roots.empty() || !workers.output_roots.empty(),
               "is missing, and output_root too: name the folders that jobs may use");
  for (const std::string& option : slurm->options) {
    keys.Require("options", absl::StartsWith(option, "--"), "must each begin with --");
  }
  keys.Take(CheckSlurmWorkers(workers, keys.prefix()));
  return keys.End();
}

absl::Status ReadKubernetes(Keys keys, KubernetesPool* kubernetes) {
  std::string path;
  keys.Path("manifest", &path);
  keys.Text("kubectl", &kubernetes->kubectl);
  keys.Text("namespace", &kubernetes->name_space);
  keys.Require("manifest", !path.empty(), "is missing: the JSON file of a Job or JobSet");
  FPO_RETURN_IF_ERROR(keys.End());
  FPO_ASSIGN_OR_RETURN(kubernetes->manifest, ReadFile(path, kFileMax));
  return absl::OkStatus();
}

absl::Status ReadCommand(Keys keys, std::vector<std::string>* argv) {
  keys.Texts("argv", argv);
  keys.Require("argv", !argv->empty(), "is missing: the program and its arguments");
  return keys.End();
}

void ReadLabels(Keys* keys, ProvisionPool* pool) {
  const JobNode* labels = keys->Find("labels");
  if (labels != nullptr && labels->kind != JobNode::Kind::kMap) {
    keys->Fail(*labels, "labels", "must be a map of texts");
  } else if (labels != nullptr) {
    for (const auto& [name, value] : labels->members) {
      const bool fits = value.kind == JobNode::Kind::kScalar && IsLabelName(name) &&
                        IsLabelValue(value.text) && name != kPoolLabel && name != kRequestLabel;
      if (!fits) keys->Fail(value, absl::StrCat("labels.", name), "is no label of a worker");
      pool->labels[name] = value.text;
    }
  }
  pool->labels[kPoolLabel] = pool->name;
}

absl::Status ReadEngine(Keys* keys, ProvisionPool* pool) {
  std::string engine;
  keys->Text("engine", &engine);
  static const std::vector<std::string> kEngines = {"slurm", "kubernetes", "command"};
  const auto known = std::find(kEngines.begin(), kEngines.end(), engine);
  keys->Require("engine", known != kEngines.end(), "must be slurm, kubernetes or command");
  if (known == kEngines.end()) return absl::OkStatus();
  pool->engine = static_cast<EngineKind>(known - kEngines.begin());
  const JobNode* own = keys->Find(engine.c_str());
  keys->Require(engine.c_str(), own != nullptr, "is missing: what this engine needs");
  if (own == nullptr) return absl::OkStatus();
  Keys inner(*own, absl::StrCat(keys->prefix(), engine, "."), keys->file());
  switch (pool->engine) {
    case EngineKind::kSlurm:
      return ReadSlurm(std::move(inner), &pool->slurm);
    case EngineKind::kKubernetes:
      FPO_RETURN_IF_ERROR(ReadKubernetes(std::move(inner), &pool->kubernetes));
      return absl::OkStatus();
    case EngineKind::kCommand:
      break;
  }
  return ReadCommand(std::move(inner), &pool->argv);
}

absl::StatusOr<ProvisionPool> ReadPool(const JobNode& node, const std::string& file) {
  ProvisionPool pool;
  const JobNode* named = node.Find("name");
  Keys keys(node, absl::StrCat("pools.", named == nullptr ? "?" : named->text, "."), file);
  keys.Text("name", &pool.name);
  const bool is_name = !pool.name.empty() && pool.name.size() <= kPoolNameMax &&
                       std::all_of(pool.name.begin(), pool.name.end(), [](unsigned char c) {
                         return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
                       });
  keys.Require("name", is_name, "must be 1 to 20 of small letters, digits and -");
  std::string device = "cpu";
  keys.Text("device", &device);
  const auto kind = FromName<DeviceKind>(device);
  keys.Require("device", kind.has_value(), "must be cpu or cuda");
  pool.device = kind.value_or(DeviceKind::kCpu);
  const auto count = [](int32_t* to) {
    return [to](int64_t number) { *to = static_cast<int32_t>(number); };
  };
  keys.Count("slots_per_worker", 1, kPoolSlotsMax, count(&pool.slots_per_worker));
  keys.Count("max_workers", 0, kWorkersMax, count(&pool.max_workers));
  keys.Require("max_workers", keys.Find("max_workers") != nullptr, "is missing");
  keys.Count("max_workers_per_owner", 0, kWorkersMax, count(&pool.max_workers_per_owner));
  keys.Duration("idle", {absl::Seconds(1), absl::Hours(24 * 30)}, &pool.idle);
  keys.Duration("ask_after", kAny, &pool.ask_after);
  keys.Duration("queue_for", {absl::Seconds(1), absl::Hours(24 * 365)}, &pool.queue_for);
  keys.Duration("arrive_within", {absl::Seconds(1), absl::Hours(24)}, &pool.arrive_within);
  keys.Duration("look_every", kShort, &pool.look_every);
  keys.Duration("answer_time", kShort, &pool.answer_time);
  ReadLabels(&keys, &pool);
  FPO_RETURN_IF_ERROR(ReadEngine(&keys, &pool));
  FPO_RETURN_IF_ERROR(keys.End());
  if (pool.engine == EngineKind::kKubernetes) keys.Take(CheckManifest(pool));
  FPO_RETURN_IF_ERROR(keys.End());
  return pool;
}

}  // namespace

absl::StatusOr<std::vector<ProvisionPool>> ParseProvisionFile(absl::string_view text,
                                                              const std::string& file) {
  std::vector<JobProblem> problems;
  absl::StatusOr<JobNode> root = ParseJobYaml(text, &problems);
  if (!root.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(file, ": ", root.status().message()));
  }
  if (!problems.empty()) return absl::InvalidArgumentError(ProblemLine(problems.front(), file));
  Keys keys(*root, "", file);
  const JobNode* list = keys.Find("pools");
  const bool is_list = list != nullptr && list->kind == JobNode::Kind::kList;
  keys.Require("pools", is_list && !list->items.empty() && list->items.size() <= kPoolsMax,
               "must be a list of 1 to 64 pools");
  FPO_RETURN_IF_ERROR(keys.End());
  std::vector<ProvisionPool> pools;
  for (const JobNode& item : list->items) {
    FPO_ASSIGN_OR_RETURN(ProvisionPool pool, ReadPool(item, file));
    for (const ProvisionPool& other : pools) {
      if (other.name != pool.name) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(file, ":", item.line, ": pools.", pool.name, " is there twice"));
    }
    pools.push_back(std::move(pool));
  }
  return pools;
}

absl::StatusOr<std::vector<ProvisionPool>> ReadProvisionFile(const std::string& file) {
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kFileMax));
  return ParseProvisionFile(text, file);
}

}  // namespace fpo::coordinator
