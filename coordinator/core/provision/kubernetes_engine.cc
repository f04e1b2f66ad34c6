#include "coordinator/core/provision/kubernetes_engine.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "coordinator/core/provision/engine_program.h"
#include "nlohmann/json.hpp"

namespace fpo::coordinator {
namespace {

using Manifest = nlohmann::json;

constexpr char kJob[] = "Job";
constexpr char kJobSet[] = "JobSet";
constexpr char kGpus[] = "nvidia.com/gpu";
constexpr size_t kObjectNameMax = 40;  // with the request's and the pod's parts below 63

absl::Status Wrong(const ProvisionPool& pool, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the manifest of pool ", pool.name, ": ", what));
}

std::string TextOf(const Manifest& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// A path of keys, of which numbers are indices; null: there is none.
Manifest At(const Manifest& root, const char* path) {
  const Manifest::json_pointer pointer(path);
  return root.contains(pointer) ? root.at(pointer) : Manifest();
}

std::string JobPath(const Manifest& manifest) {
  return TextOf(manifest, "kind") == kJobSet ? "/spec/replicatedJobs/0/template/spec" : "/spec";
}

std::string ContainerPath(const Manifest& manifest) {
  return JobPath(manifest) + "/template/spec/containers/0";
}

absl::Status CheckArguments(const ProvisionPool& pool, const Manifest& container) {
  const Manifest args = At(container, "/args");
  if (!args.is_array()) return Wrong(pool, "its first container has no args");
  for (const Manifest& arg : args) {
    if (!arg.is_string()) return Wrong(pool, "args are not all texts");
    for (const char* flag : {"--exit-when-idle", "--slots", "--device"}) {
      if (absl::StartsWith(arg.get<std::string>(), flag)) {
        return Wrong(pool, absl::StrCat("args have ", flag, ", which the pool decides"));
      }
    }
  }
  if (pool.device != DeviceKind::kCuda) return absl::OkStatus();
  const Manifest limits = At(container, "/resources/limits");
  const Manifest gpus = limits.is_object() ? limits.value(kGpus, Manifest()) : Manifest();
  const std::string count = gpus.is_string() ? gpus.get<std::string>() : gpus.dump();
  if (count == absl::StrCat(pool.slots_per_worker)) return absl::OkStatus();
  return Wrong(pool, absl::StrCat("resources.limits of its first container have ", kGpus, " ",
                                  count, ", and slots_per_worker is ", pool.slots_per_worker));
}

// Text that was checked by CheckManifest.
std::string BaseName(const Manifest& manifest) { return TextOf(At(manifest, "/metadata"), "name"); }

std::string ObjectName(const Manifest& manifest, const ProvisionRequest& request) {
  return absl::StrCat(BaseName(manifest), "-", request.id);
}

bool IsTrue(const Manifest& conditions, const std::vector<std::string>& types) {
  if (!conditions.is_array()) return false;
  return std::any_of(conditions.begin(), conditions.end(), [&](const Manifest& condition) {
    const bool named =
        std::find(types.begin(), types.end(), TextOf(condition, "type")) != types.end();
    return named && TextOf(condition, "status") == "True";
  });
}

bool IsPositive(const Manifest& number) { return number.is_number() && number.get<double>() > 0; }

// Pods exist: they run, start, or wait for nodes. A suspended Job, which Kueue has not admitted,
// has none. `ready` of a JobSet counts Jobs of which all pods are ready.
bool HasPods(const Manifest& status) {
  const auto counts = [](const Manifest& each) {
    return IsPositive(At(each, "/active")) || IsPositive(At(each, "/ready"));
  };
  const Manifest jobs = At(status, "/replicatedJobsStatus");
  return counts(status) || (jobs.is_array() && std::any_of(jobs.begin(), jobs.end(), counts));
}

}  // namespace

absl::Status CheckManifest(const ProvisionPool& pool) {
  const absl::StatusOr<Manifest> manifest = ParseJson(pool.kubernetes.manifest);
  if (!manifest.ok()) return Wrong(pool, manifest.status().message());
  const std::string kind = TextOf(*manifest, "kind");
  if (kind != kJob && kind != kJobSet) return Wrong(pool, "its kind is neither Job nor JobSet");
  const std::string name = BaseName(*manifest);
  if (name.empty() || name.size() > kObjectNameMax) {
    return Wrong(pool,
                 absl::StrCat("metadata.name must have 1 to ", kObjectNameMax, " characters"));
  }
  const Manifest jobs = At(*manifest, "/spec/replicatedJobs");
  if (kind == kJobSet && (!jobs.is_array() || jobs.size() != 1)) {
    return Wrong(pool, "it must have one replicatedJobs");
  }
  if (kind == kJobSet && At(jobs, "/0/replicas") != Manifest(1) &&
      !At(jobs, "/0/replicas").is_null()) {
    return Wrong(pool, "replicas of its Job must be 1: the pool decides how many pods it has");
  }
  const Manifest container = At(*manifest, ContainerPath(*manifest).c_str());
  if (!container.is_object()) return Wrong(pool, "it has no container");
  return CheckArguments(pool, container);
}

absl::StatusOr<std::string> ManifestOf(const ProvisionPool& pool, const ProvisionRequest& request) {
  FPO_RETURN_IF_ERROR(CheckManifest(pool));
  FPO_ASSIGN_OR_RETURN(Manifest manifest, ParseJson(pool.kubernetes.manifest));
  const Manifest labels = {{kRequestLabel, request.id}, {"fpo-pool", request.pool}};
  manifest["metadata"]["name"] = ObjectName(manifest, request);
  if (!pool.kubernetes.name_space.empty()) {
    manifest["metadata"]["namespace"] = pool.kubernetes.name_space;
  }
  manifest["metadata"]["labels"].update(labels);
  Manifest& job = manifest[Manifest::json_pointer(JobPath(manifest))];
  job["parallelism"] = job["completions"] = request.workers;
  job["completionMode"] = "Indexed";
  job["template"]["metadata"]["labels"].update(labels);
  Manifest& args = job["template"]["spec"]["containers"][0]["args"];
  args.push_back(absl::StrCat("--slots=", pool.slots_per_worker));
  args.push_back(absl::StrCat("--device=", std::string(Name(pool.device))));
  args.push_back(absl::StrCat("--exit-when-idle=", absl::ToInt64Seconds(pool.idle), "s"));
  for (const auto& [name, value] : pool.labels) {
    args.push_back(absl::StrCat("--label=", name, "=", value));
  }
  args.push_back(absl::StrCat("--label=", kRequestLabel, "=", request.id));
  return manifest.dump();
}

absl::StatusOr<std::string> KubernetesEngine::Find(const ProvisionRequest& request) {
  FPO_ASSIGN_OR_RETURN(const Manifest manifest, ParseJson(pool_.kubernetes.manifest));
  const bool is_set = TextOf(manifest, "kind") == kJobSet;
  std::vector<std::string> argv = {pool_.kubernetes.kubectl,
                                   "get",
                                   is_set ? "jobsets.jobset.x-k8s.io" : "jobs.batch",
                                   ObjectName(manifest, request),
                                   "--ignore-not-found",
                                   "--output=json"};
  if (!pool_.kubernetes.name_space.empty()) {
    argv.push_back(absl::StrCat("--namespace=", pool_.kubernetes.name_space));
  }
  FPO_ASSIGN_OR_RETURN(const std::string answer, AskProgram(run_, pool_, {argv}));
  return std::string(absl::StripAsciiWhitespace(answer));
}

absl::StatusOr<std::string> KubernetesEngine::Ask(const ProvisionRequest& request) {
  FPO_ASSIGN_OR_RETURN(const std::string known, Find(request));
  FPO_ASSIGN_OR_RETURN(const std::string manifest, ManifestOf(pool_, request));
  FPO_ASSIGN_OR_RETURN(const Manifest object, ParseJson(manifest));
  const std::string name = BaseName(object);
  if (!known.empty()) return name;
  FPO_RETURN_IF_ERROR(AskProgram(run_, pool_,
                                 {{pool_.kubernetes.kubectl, "create", "--filename=-"},
                                  manifest,
                                  /*may_refuse=*/true})
                          .status());
  return name;
}

absl::StatusOr<AllocationState> KubernetesEngine::Look(const ProvisionRequest& request) {
  FPO_ASSIGN_OR_RETURN(const std::string known, Find(request));
  if (known.empty()) return AllocationState::kGone;
  const absl::StatusOr<Manifest> object = ParseJson(known);
  if (!object.ok()) {
    return absl::UnavailableError(
        absl::StrCat(pool_.kubernetes.kubectl, " get: ", object.status().message()));
  }
  const Manifest status = At(*object, "/status");
  if (IsTrue(At(status, "/conditions"), {"Complete", "Completed", "Failed"})) {
    return AllocationState::kGone;
  }
  return HasPods(status) ? AllocationState::kRunning : AllocationState::kQueued;
}

absl::Status KubernetesEngine::CallOff(const ProvisionRequest& request) {
  FPO_ASSIGN_OR_RETURN(const Manifest manifest, ParseJson(pool_.kubernetes.manifest));
  const bool is_set = TextOf(manifest, "kind") == kJobSet;
  std::vector<std::string> argv = {pool_.kubernetes.kubectl,
                                   "delete",
                                   is_set ? "jobsets.jobset.x-k8s.io" : "jobs.batch",
                                   ObjectName(manifest, request),
                                   "--ignore-not-found",
                                   "--wait=false",
                                   "--cascade=background"};
  if (!pool_.kubernetes.name_space.empty()) {
    argv.push_back(absl::StrCat("--namespace=", pool_.kubernetes.name_space));
  }
  return AskProgram(run_, pool_, {argv}).status();
}

}  // namespace fpo::coordinator
