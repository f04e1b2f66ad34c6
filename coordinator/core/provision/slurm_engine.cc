#include "coordinator/core/provision/slurm_engine.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/fleet/slurm_script.h"
#include "common/status_macros.h"
#include "coordinator/core/provision/engine_program.h"

namespace fpo::coordinator {

std::string ScriptOf(const ProvisionPool& pool, const ProvisionRequest& request) {
  SlurmWorkers workers = pool.slurm.workers;
  workers.job_name = AllocationName(request);
  workers.nodes = request.workers;
  workers.gpus = pool.device == DeviceKind::kCuda ? pool.slots_per_worker : 0;
  workers.slots = pool.slots_per_worker;
  workers.labels = pool.labels;
  workers.labels[kRequestLabel] = request.id;
  workers.exit_when_idle = pool.idle;
  workers.requeue = false;
  return SlurmScript(workers);
}

absl::StatusOr<SlurmEngine::Listed> SlurmEngine::Find(const ProvisionRequest& request) {
  const std::vector<std::string> argv = {pool_.slurm.squeue, "--noheader", "--format=%i|%T",
                                         absl::StrCat("--name=", AllocationName(request))};
  FPO_ASSIGN_OR_RETURN(const std::string list, AskProgram(run_, pool_, {argv}));
  for (const absl::string_view line : absl::StrSplit(list, '\n', absl::SkipWhitespace())) {
    const std::vector<std::string> words = absl::StrSplit(absl::StripAsciiWhitespace(line), '|');
    if (words.size() != 2) {
      return absl::UnavailableError(
          absl::StrCat(pool_.slurm.squeue, " answered \"", line, "\", which is not ID|STATE"));
    }
    const bool queued = words[1] == "PENDING" || words[1] == "CONFIGURING" ||
                        words[1] == "REQUEUED" || words[1] == "SUSPENDED";
    return Listed{words[0], queued ? AllocationState::kQueued : AllocationState::kRunning};
  }
  return Listed{};
}

absl::StatusOr<std::string> SlurmEngine::Ask(const ProvisionRequest& request) {
  FPO_ASSIGN_OR_RETURN(const Listed known, Find(request));
  if (!known.id.empty()) return known.id;
  std::vector<std::string> argv = {pool_.slurm.sbatch, "--parsable"};
  argv.insert(argv.end(), pool_.slurm.options.begin(), pool_.slurm.options.end());
  FPO_ASSIGN_OR_RETURN(
      const std::string answer,
      AskProgram(run_, pool_, {argv, ScriptOf(pool_, request), /*may_refuse=*/true}));
  // "1234", or "1234;CLUSTER".
  const std::vector<std::string> words = absl::StrSplit(absl::StripAsciiWhitespace(answer), ';');
  const bool is_id =
      !words[0].empty() && std::all_of(words[0].begin(), words[0].end(), absl::ascii_isdigit);
  if (is_id) return words[0];
  return absl::UnavailableError(
      absl::StrCat(pool_.slurm.sbatch, " answered \"", answer.substr(0, 200), "\", no job's id"));
}

absl::StatusOr<AllocationState> SlurmEngine::Look(const ProvisionRequest& request) {
  FPO_ASSIGN_OR_RETURN(const Listed known, Find(request));
  return known.state;
}

absl::Status SlurmEngine::CallOff(const ProvisionRequest& request) {
  return AskProgram(run_, pool_,
                    {{pool_.slurm.scancel, absl::StrCat("--name=", AllocationName(request))}})
      .status();
}

}  // namespace fpo::coordinator
