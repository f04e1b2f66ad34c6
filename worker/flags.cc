#include "worker/flags.h"

#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/flags/program_flags.h"
#include "common/status_macros.h"
#include "common/text/label.h"

extern char** environ;

namespace fpo::worker {
namespace {

void AddNetwork(FlagSet app, WorkerConfig* config) {
  app.Add("--coordinator,--server", &config->coordinator,
          "fpo-coordinator, host:port; with standbys all of them, separated by commas")
      .ShowDefault();
  app.Add("--cache,--cache-server", &config->cache, "fpo-cache, host:port").ShowDefault();
  ListenOptions& listen = config->listen;
  app.Add("--http", &listen.http, "address of /metrics, /healthz, /readyz").ShowDefault();
  app.Add("--port-file", &listen.port_file, "written with the real address once it listens");
  app.Add("--http-open", &listen.http_open,
          "allow --http outside loopback, where it has neither TLS nor tokens");
  app.Add("--insecure", &listen.insecure, "an older name of --http-open");
  app.Add("--tls-cert", &listen.tls.cert, "PEM file, own certificate chain");
  app.Add("--tls-key", &listen.tls.key, "PEM file, own private key");
  app.Add("--tls-ca", &listen.tls.ca, "PEM file, CA of coordinator and cache");
  app.Add("--token-file", &config->token_file,
          "file with a worker's token, for coordinator and cache");
}

void AddWork(FlagSet app, WorkerConfig* config) {
  app.Add("--name", &config->name, "stable name of this worker; default: the host's");
  app.Add("--host", &config->host, "how ranks on other hosts reach this one");
  app.Add("--slots", &config->slots, "ranks at once: GPUs, or shares of the CPUs").ShowDefault();
  app.Add("--work-dir", &config->work_dir, "folder for jobs, records and logs; one agent each")
      .Type("DIR");
  app.Add("--trainer", &config->trainer, "fpo-train; default: next to this program").Type("FILE");
  app.Add("--device", &config->device, "auto, cpu or cuda").ShowDefault();
  app.AddDuration("--stall-timeout", &config->stall_timeout,
                  "stop a rank that is silent for this long; 0: never");
  app.AddDuration("--abandon-after", &config->abandon_after,
                  "without the coordinator for this long, stop ranks after a checkpoint; 0: never");
  app.AddDuration("--exit-when-idle", &config->exit_when_idle,
                  "end when there was nothing to do for this long, so that a cluster gets the host "
                  "back; 0: never");
  app.AddDuration("--grace", &config->grace, "between SIGTERM and SIGKILL of ranks at shutdown");
  app.Add("--records-max-mib", &config->records_max_mib, "limit of pulled record files")
      .ShowDefault();
  app.Add("--inputs-max-mib", &config->inputs_max_mib,
          "limit of inputs fetched from object stores (s3://)")
      .Between(1, int64_t{1} << 40)
      .ShowDefault();
  app.Add("--spool-max-mib", &config->spool_max_mib,
          "limit of one attempt's unsent logs, and of its events")
      .ShowDefault();
  app.Add("--disk-reserve-mib", &config->disk_reserve_mib,
          "free space below which no attempt starts")
      .ShowDefault();
}

void AddIsolation(FlagSet app, WorkerConfig* config) {
  app.Add("--root", &config->roots,
          "folder or s3://BUCKET/PREFIX below which jobs may read; may be repeated; required, like "
          "--output-root, when the coordinator is on another machine")
      .Type("DIR");
  app.Add("--output-root", &config->output_roots,
          "folder or s3://BUCKET/PREFIX below which jobs may write, and read; may be repeated")
      .Type("DIR");
  app.Add("--judge", &config->judges,
          "server that jobs of kind judge may ask (judge.url), with the file of the key that is "
          "sent "
          "to it alone (judge.key_file); may be repeated; without --root and --output-root any")
      .Type("URL[=KEY_FILE]");
  app.Add("--allow-root", &config->allow_root, "run, with all jobs, as root");
  app.Add("--device-idle-mib", &config->device_idle_mib,
          "a slot is used again when its GPU has less memory in use; 0: do not check")
      .Between(0, int64_t{1} << 30)
      .ShowDefault();
  app.Add("--cgroup", &config->cgroup,
          "where each rank gets a cgroup: auto (below the agent's own, if delegated), off, "
          "or a folder of a cgroup version 2 file system")
      .ShowDefault();
  app.Add("--memory-max-mib", &config->memory_max_mib,
          "memory of each rank with all it starts; needs a cgroup; 0: no limit")
      .Between(0, int64_t{1} << 40)
      .ShowDefault();
}

absl::Status AddLabels(const std::vector<std::string>& labels, WorkerConfig* config) {
  for (const std::string& label : labels) {
    const size_t equals = label.find('=');
    if (equals == std::string::npos || equals + 1 == label.size() ||
        !IsLabelName(label.substr(0, equals)) || !IsLabelValue(label.substr(equals + 1))) {
      return absl::InvalidArgumentError(
          absl::StrCat("--label \"", label, "\" must be NAME=VALUE, e.g. gpu=h100"));
    }
    config->labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return absl::OkStatus();
}

std::string HostName() {
  char name[256] = "";
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "worker";
}

void FillDefaults(WorkerConfig* config) {
  if (config->name.empty()) config->name = HostName();
  if (config->host.empty()) config->host = HostName();
  std::error_code error;
  if (config->trainer.empty()) {
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    config->trainer = (self.parent_path() / "fpo-train").string();
  }
  // Ranks run in their own folders.
  config->trainer = std::filesystem::absolute(config->trainer, error).string();
  if (!config->work_dir.empty()) {
    config->work_dir = std::filesystem::absolute(config->work_dir, error).string();
  }
  for (char** entry = environ; *entry != nullptr; ++entry) config->environment.push_back(*entry);
}

}  // namespace

absl::StatusOr<ParsedFlags<WorkerConfig>> ParseFlags(int argc, const char* const* argv) {
  ParsedFlags<WorkerConfig> flags;
  ProgramFlags program("fpo-worker",
                       "Runs the phases of jobs on this host and reports to the coordinator.");
  FlagSet app = program.flags();
  program.AddServiceFlags(&flags.check_config);
  app.Add("--forget-store", &flags.config.forget_store,
          "let the worker of --work-dir work for another coordinator's store from its next "
          "start on, set unsent lines aside, then exit")
      .OnCommandLineOnly();
  AddNetwork(app, &flags.config);
  AddWork(app, &flags.config);
  AddIsolation(app, &flags.config);
  std::vector<std::string> labels;
  app.Add("--label", &labels, "NAME=VALUE that jobs may require; may be repeated");
  FPO_ASSIGN_OR_RETURN(flags.text, program.Parse({argc, argv}));
  if (flags.text) return flags;
  FPO_RETURN_IF_ERROR(program.Locate(AddLabels(labels, &flags.config)));
  FillDefaults(&flags.config);
  FPO_RETURN_IF_ERROR(program.Locate(flags.config.Validate()));
  return flags;
}

}  // namespace fpo::worker
