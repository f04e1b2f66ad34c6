#include "common/fleet/slurm_script.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

// An agent needs this long beyond --grace to kill what is left and to report it.
constexpr absl::Duration kReportTime = absl::Minutes(1);

class Checks {
 public:
  explicit Checks(absl::string_view prefix) : prefix_(prefix) {}

  absl::Status Wrong(absl::string_view option, absl::string_view value,
                     absl::string_view must) const {
    std::string name(option);
    if (absl::EndsWith(prefix_, ".")) std::replace(name.begin(), name.end(), '-', '_');
    return absl::InvalidArgumentError(
        absl::StrCat(prefix_, name, " is '", value, "' and must be ", must));
  }
  // #SBATCH lines know no quotes that would hold a space or a line break.
  absl::Status Word(absl::string_view option, const std::string& value) const {
    const bool plain = std::all_of(value.begin(), value.end(), [](unsigned char c) {
      return absl::ascii_isalnum(c) ||
             absl::string_view("._:,+-@/").find(static_cast<char>(c)) != std::string::npos;
    });
    if (plain) return absl::OkStatus();
    return Wrong(option, value, "letters, digits and ._:,+-@/");
  }
  absl::Status Path(absl::string_view option, const std::string& path) const {
    if (path.empty() || path[0] == '/') return absl::OkStatus();
    return Wrong(option, path, "an absolute path: the nodes run the script in other folders");
  }

 private:
  const absl::string_view prefix_;
};

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", R"('\'')"}}), "'");
}

std::string Directives(const SlurmWorkers& workers) {
  std::vector<std::string> lines = {absl::StrCat("--job-name=", workers.job_name),
                                    absl::StrCat("--nodes=", workers.nodes), "--ntasks-per-node=1"};
  const auto add = [&lines](absl::string_view option, const std::string& value) {
    if (!value.empty()) lines.push_back(absl::StrCat("--", option, "=", value));
  };
  if (workers.gpus > 0) lines.push_back(absl::StrCat("--gpus-per-node=", workers.gpus));
  if (workers.cpus > 0) lines.push_back(absl::StrCat("--cpus-per-task=", workers.cpus));
  add("time", workers.time);
  add("partition", workers.partition);
  add("account", workers.account);
  add("signal", absl::StrCat("B:USR1@", absl::ToInt64Seconds(workers.notice)));
  lines.insert(lines.end(), {workers.requeue ? "--requeue" : "--no-requeue", "--open-mode=append",
                             "--output=fpo-workers-%j.log"});
  return absl::StrCat("#SBATCH ", absl::StrJoin(lines, "\n#SBATCH "), "\n");
}

// The agent's flags; those that depend on the node are added by each node's shell.
std::string AgentFlags(const SlurmWorkers& workers) {
  std::vector<std::string> flags;
  const auto add = [&flags](absl::string_view flag, absl::string_view value) {
    if (!value.empty()) flags.push_back(absl::StrCat("--", flag, "=", Quoted(value)));
  };
  add("coordinator", workers.coordinator);
  add("cache", workers.cache);
  add("tls-ca", workers.tls_ca);
  add("token-file", workers.token_file);
  for (const std::string& root : workers.roots) add("root", root);
  for (const std::string& root : workers.output_roots) add("output-root", root);
  add("device", workers.gpus > 0 ? "cuda" : "cpu");
  add("slots",
      absl::StrCat(workers.slots > 0 ? workers.slots : std::max<int64_t>(workers.gpus, 1)));
  for (const auto& [name, value] : workers.labels) add("label", absl::StrCat(name, "=", value));
  if (workers.exit_when_idle > absl::ZeroDuration()) {
    add("exit-when-idle", absl::StrCat(absl::ToInt64Seconds(workers.exit_when_idle), "s"));
  }
  add("grace", absl::StrCat(absl::ToInt64Seconds(workers.notice - kReportTime), "s"));
  add("http", "127.0.0.1:0");  // agents of two jobs may share a node
  return absl::StrJoin(flags, "\n  ");
}

}  // namespace

absl::Status CheckSlurmWorkers(const SlurmWorkers& workers, absl::string_view prefix) {
  const Checks checks(prefix);
  FPO_RETURN_IF_ERROR(checks.Word("time", workers.time));
  FPO_RETURN_IF_ERROR(checks.Word("partition", workers.partition));
  FPO_RETURN_IF_ERROR(checks.Word("account", workers.account));
  FPO_RETURN_IF_ERROR(checks.Path("work-dir", workers.work_dir));
  FPO_RETURN_IF_ERROR(checks.Path("worker-token", workers.token_file));
  FPO_RETURN_IF_ERROR(checks.Path("tls-ca", workers.tls_ca));
  for (const std::string& root : workers.roots) FPO_RETURN_IF_ERROR(checks.Path("root", root));
  for (const std::string& root : workers.output_roots) {
    FPO_RETURN_IF_ERROR(checks.Path("output-root", root));
  }
  if (workers.notice < 2 * kReportTime || workers.notice > absl::Hours(1)) {
    return checks.Wrong("notice", absl::FormatDuration(workers.notice), "from 2m to 1h");
  }
  return absl::OkStatus();
}

std::string SlurmScript(const SlurmWorkers& workers) {
  return absl::StrCat(
      "#!/bin/bash\n", Directives(workers),
      "# As of fpoctl workers slurm-script: one fpo-worker on each node. Before the time is up "
      "Slurm sends\n# USR1 to this shell; the agents write checkpoints, their jobs go elsewhere",
      workers.requeue ? ", and this job queues again." : ".", "\nset -u\n\nagent=(fpo-worker\n  ",
      AgentFlags(workers), ")\nwork_dir=", Quoted(workers.work_dir), R"(

warned=0
agents=
trap 'warned=1; [ -z "$agents" ] || kill -USR1 "$agents"' USR1
trap '[ -z "$agents" ] || kill -TERM "$agents"' TERM

# Each node's shell makes the name, which a token of --worker 'slurm-*' may have.
# shellcheck disable=SC2016
srun --kill-on-bad-exit=0)",
      workers.cpus > 0 ? absl::StrCat(" --cpus-per-task=", workers.cpus) : "",
      R"( bash -c 'work_dir=$1/slurm-$SLURM_JOB_ID-$SLURM_NODEID
  mkdir -p "$work_dir" && shift && exec "$@" --name="slurm-$SLURM_JOB_ID-$SLURM_NODEID" \
    --host="${SLURMD_NODENAME:-$(hostname)}" --work-dir="$work_dir"' \
  agent "$work_dir" "${agent[@]}" &
agents=$!
# A signal ends the wait, not the agents.
while wait "$agents"; [ $? -gt 128 ] && kill -0 "$agents" 2>/dev/null; do :; done
wait "$agents"
status=$?

# An agent ends with 2, 6 or 7 where a flag, the token or the name is wrong: it would be again.
case $status in
  0) ;;
  2 | 6 | 7) warned=0 ;&
  *) echo "fpo-workers: an agent ended with exit code $status; its log is above" >&2 ;;
esac
[ "$warned" -eq 0 ] || )",
      workers.requeue ? R"(exec scontrol requeue "$SLURM_JOB_ID")"
                      : "exit 0  # not requeued: the coordinator asks for others",
      "\nexit \"$status\"\n");
}

}  // namespace fpo
