#include "coordinator/core/provision/command_engine.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "coordinator/core/provision/engine_program.h"
#include "coordinator/core/provision/kubernetes_engine.h"
#include "coordinator/core/provision/slurm_engine.h"

namespace fpo::coordinator {
namespace {

constexpr size_t kReferenceMax = 200;

std::string RequestJson(const ProvisionPool& pool, const ProvisionRequest& request) {
  JsonObject labels;
  for (const auto& [name, value] : pool.labels) labels.Add(name, value);
  labels.Add(kRequestLabel, request.id);
  JsonObject json;
  json.Add("name", AllocationName(request));
  json.Add("id", request.id);
  json.Add("pool", request.pool);
  json.Add("workers", request.workers);
  json.Add("slots_per_worker", pool.slots_per_worker);
  json.Add("device", std::string(Name(pool.device)));
  json.AddRaw("labels", labels.Text());
  json.Add("exit_when_idle_seconds", absl::ToInt64Seconds(pool.idle));
  json.Add("job_id", request.job_id);
  json.Add("owner", request.owner);
  json.Add("attempt", request.attempt);
  json.Add("reference", request.reference);
  return json.Text() + "\n";
}

}  // namespace

absl::StatusOr<std::string> CommandEngine::Call(const std::string& verb,
                                                const ProvisionRequest& request) {
  std::vector<std::string> argv = pool_.argv;
  argv.push_back(verb);
  FPO_ASSIGN_OR_RETURN(const std::string answer, AskProgram(run_, pool_,
                                                            {argv, RequestJson(pool_, request),
                                                             /*may_refuse=*/verb == "ask"}));
  return std::string(absl::StripAsciiWhitespace(answer));
}

absl::StatusOr<std::string> CommandEngine::Ask(const ProvisionRequest& request) {
  FPO_ASSIGN_OR_RETURN(std::string reference, Call("ask", request));
  if (!reference.empty() && reference.size() <= kReferenceMax) return reference;
  return absl::UnavailableError(absl::StrCat(pool_.argv[0], " ask printed ", reference.size(),
                                             " bytes: it must print a name of 1 to ",
                                             kReferenceMax));
}

absl::StatusOr<AllocationState> CommandEngine::Look(const ProvisionRequest& request) {
  FPO_ASSIGN_OR_RETURN(const std::string state, Call("look", request));
  if (state == "gone") return AllocationState::kGone;
  if (state == "queued") return AllocationState::kQueued;
  if (state == "running") return AllocationState::kRunning;
  return absl::UnavailableError(absl::StrCat(pool_.argv[0], " look printed \"",
                                             state.substr(0, kReferenceMax),
                                             "\", which is not gone, queued or running"));
}

absl::Status CommandEngine::CallOff(const ProvisionRequest& request) {
  return Call("call-off", request).status();
}

std::unique_ptr<ProvisionEngine> MakeEngine(const ProvisionPool& pool, const ProgramRunner& run) {
  switch (pool.engine) {
    case EngineKind::kSlurm:
      return std::make_unique<SlurmEngine>(pool, run);
    case EngineKind::kKubernetes:
      return std::make_unique<KubernetesEngine>(pool, run);
    case EngineKind::kCommand:
      break;
  }
  return std::make_unique<CommandEngine>(pool, run);
}

}  // namespace fpo::coordinator
