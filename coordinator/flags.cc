#include "coordinator/flags.h"

#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/flags/program_flags.h"
#include "common/rpc/listen_flags.h"
#include "common/status_macros.h"
#include "coordinator/core/provision/provision_file.h"

namespace fpo::coordinator {
namespace {

std::optional<std::string> Variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

absl::Status About(absl::string_view flag, const absl::Status& error) {
  if (error.ok()) return error;
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", error.message()));
}

absl::Status ReadPools(const std::string& file, CoordinatorConfig* config) {
  if (file.empty()) return absl::OkStatus();
  FPO_ASSIGN_OR_RETURN(config->pools, ReadProvisionFile(file));
  return absl::OkStatus();
}

void AddLogLimits(FlagSet app, LogLimits* limits) {
  app.AddDuration("--keep-logs", &limits->keep, "log lines older than this are removed; 0s: never");
  app.AddMib("--max-log-mib-per-job", &limits->job_bytes_max,
             "log lines of one job; 0: any number");
  app.AddMib("--max-log-mib", &limits->total_bytes_max,
             "log lines of all jobs, those that ended first; 0: any number");
}

void AddStoreFlags(FlagSet app, CoordinatorFlags* flags) {
  app.Add("--repair", &flags->repair,
          "save what can be read of a damaged store, hold its jobs, report what is lost, then exit")
      .OnCommandLineOnly();
  app.Add("--init", &flags->init, "make a new store, print its id, then exit").OnCommandLineOnly();
  app.Add("--restore", &flags->restore,
          "take this backup into use as the new folder --data, then exit")
      .Type("BACKUP")
      .OnCommandLineOnly();
  app.Add("--accept-older", &flags->accept_older,
          "take an older copy of a store, as --data, into use: as --restore, but in place; "
          "then exit")
      .OnCommandLineOnly();
  CoordinatorConfig& config = flags->config;
  app.Add("--store", &config.store,
          "postgresql://USER@HOST/DATABASE in place of --data; several coordinators may "
          "share one: the first leads, the others stand by")
      .Type("URL");
  app.Add("--store-password-file", &config.store_password_file,
          "its first line is the password for --store; without it PGPASSFILE or ~/.pgpass")
      .Type("FILE");
  app.Add("--advertise", &config.advertise,
          "host:port at which agents and users reach this coordinator, unlike all others; "
          "default: where it listens");
  app.AddDuration("--leader-lease", &config.leader_lease,
                  "a leader that is silent this long is replaced by a standby");
  Flag from = app.Add("--copy-store", &flags->copy_store,
                      "copy the store in this folder or database, which no "
                      "coordinator uses, to --to, then exit");
  from.Type("FROM").OnCommandLineOnly();
  Flag to = app.Add("--to", &flags->copy_to, "for --copy-store: a database or a folder, empty");
  to.Type("TO").OnCommandLineOnly();
  from.Needs(to);
  to.Needs(from);
  app.Add("--backup-dir", &config.backup_dir, "folder for backups, on another disk").Type("DIR");
  app.AddDuration(
      "--backup-every", &config.backup_every,
      "interval of backups, if --backup-dir is given; 0s: only fpoctl backup makes them");
  app.Add("--backup-keep", &config.backup_keep, "how many backups are kept").ShowDefault();
}

void AddCacheFlags(FlagSet app, CoordinatorConfig* config) {
  app.Add("--cache", &config->cache,
          "host:port of the fpo-cache whose contents the status page shows")
      .Type("HOST:PORT");
  app.Add("--cache-ca", &config->cache_ca,
          "PEM file, CA of that cache's certificate; default: --tls-ca; without one in plaintext")
      .Type("FILE");
}

void AddFiles(FlagSet app, CoordinatorConfig* config, std::string* provision) {
  app.Add("--webhooks", &config->webhooks,
          "YAML of who is told when jobs end, are held or break their budget")
      .Type("FILE");
  app.Add("--provision", provision,
          "YAML file of pools of workers that are started, by Slurm, Kubernetes or a command, for "
          "jobs that do not fit")
      .Type("FILE");
}

void AddElasticFlags(FlagSet app, ElasticOptions* elastic) {
  app.AddDuration("--narrow-after", &elastic->narrow_after,
                  "a job with resources.min_slots waits this long for all of its slots after it "
                  "has lost a worker");
  app.AddDuration("--grow-after", &elastic->grow_after,
                  "... and runs at least this long on fewer before it is stopped to have all");
}

}  // namespace

absl::StatusOr<CoordinatorFlags> ParseFlags(int argc, const char* const* argv) {
  CoordinatorFlags flags;
  CoordinatorConfig& config = flags.config;
  ProgramFlags program("fpo-coordinator",
                       "Keeps jobs, hands them to workers and remembers what became of them.");
  FlagSet app = program.flags();
  program.AddServiceFlags(&flags.check_config);
  AddListenFlags(app, &config.listen, "address of the status page, /metrics, /healthz and /readyz");
  app.Add("--data", &config.data, "folder of jobs, logs and events");
  AddCacheFlags(app, &config);
  AddStoreFlags(app, &flags);
  app.AddDuration("--beat", &config.options.heartbeat, "interval of agents' heartbeats");
  app.AddDuration("--lease", &config.options.lease, "how long a silent worker may act");
  app.AddDuration("--reattach", &config.options.reattach,
                  "after a start, no attempt is replaced for this long");
  app.AddDuration("--cancel-grace", &config.options.cancel_grace,
                  "between asking a job to stop and killing it");
  app.AddDuration("--checkpoint-grace", &config.options.checkpoint_grace,
                  "for a paused or preempted job to write its checkpoint");
  app.AddDuration("--unsatisfiable-after", &config.options.unsatisfiable_after,
                  "a job that no workers can hold fails after this long");
  AddElasticFlags(app, &config.options.elastic);
  std::vector<std::string> quotas;
  app.Add("--quota", &quotas,
          "slots in use, as owner:NAME=SLOTS or queue:NAME=SLOTS; NAME * is everyone else; "
          "may be repeated");
  app.Add("--owner-jobs-max", &config.options.owner_jobs_max,
          "jobs of one owner that have not ended; 0: any number")
      .NotNegative()
      .ShowDefault();
  std::vector<std::string> limits;
  app.Add("--owner-limit", &limits,
          "of known users, as NAME:jobs=1000,mib=64,priority=500: jobs that have not ended, "
          "size of job files, highest priority; NAME * is everyone else; may be repeated");
  app.AddDuration("--keep-jobs", &config.options.keep_jobs,
                  "jobs that ended longer ago are removed with all their lines; 0s: never");
  app.AddMib("--max-jobs-mib", &config.options.config_bytes_max,
             "configurations of all jobs, which are kept in memory; 0: any number");
  AddLogLimits(app, &config.options.logs);
  app.AddMib("--reserve-mib", &config.reserve_bytes,
             "free disk space kept for changes of jobs; new jobs are refused below it, log lines "
             "wait at the workers below twice of it");
  std::string provision;
  AddFiles(app, &config, &provision);
  app.AddDuration("--shutdown-grace", &config.grace, "for running calls at SIGTERM");
  FPO_ASSIGN_OR_RETURN(flags.text, program.Parse({argc, argv}));
  if (flags.text) return flags;
  if (!flags.copy_store.empty()) {
    const bool from_folder = !CheckPostgresAddress(flags.copy_store).ok();
    config.store = from_folder ? flags.copy_to : flags.copy_store;
    config.data.clear();
  }
  FPO_RETURN_IF_ERROR(program.Locate(About("--provision", ReadPools(provision, &config))));
  for (const std::string& text : quotas) {
    absl::StatusOr<QuotaRule> rule = ParseQuotaRule(text);
    FPO_RETURN_IF_ERROR(program.Locate(About("--quota", rule.status())));
    config.options.quotas.push_back(*std::move(rule));
  }
  for (const std::string& text : limits) {
    absl::StatusOr<OwnerLimitRule> rule = ParseOwnerLimit(text);
    FPO_RETURN_IF_ERROR(program.Locate(About("--owner-limit", rule.status())));
    config.options.owner_limits.push_back(*std::move(rule));
  }
  FPO_ASSIGN_OR_RETURN(config.traces, ReadOtlpSettings(Variable));
  FPO_RETURN_IF_ERROR(program.Locate(config.Validate()));
  return flags;
}

}  // namespace fpo::coordinator
