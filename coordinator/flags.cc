#include "coordinator/flags.h"

#include <CLI/CLI.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/program_flags.h"
#include "common/rpc/listen_flags.h"
#include "common/status_macros.h"

namespace fpo::coordinator {
namespace {

void AddMib(CLI::App* app, const std::string& flag, int64_t* bytes, const std::string& help) {
  app->add_option_function<int64_t>(
         flag, [bytes](int64_t mib) { *bytes = mib << 20; }, help)
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->type_name("MIB")
      ->default_str(absl::StrCat(*bytes >> 20));
}

void AddLogLimits(CLI::App* app, LogLimits* limits) {
  AddDuration(app, "--keep-logs", &limits->keep,
              "log lines older than this are removed; 0s: never");
  AddMib(app, "--max-log-mib-per-job", &limits->job_bytes_max,
         "log lines of one job; 0: any number");
  AddMib(app, "--max-log-mib", &limits->total_bytes_max,
         "log lines of all jobs, those that ended first; 0: any number");
}

void AddStoreFlags(CLI::App* app, CoordinatorFlags* flags) {
  app->add_flag(
         "--repair", flags->repair,
         "save what can be read of a damaged store, hold its jobs, report what is lost, then exit")
      ->configurable(false);
  app->add_flag("--init", flags->init, "make a new store, print its id, then exit")
      ->configurable(false);
  app->add_option("--restore", flags->restore,
                  "take this backup into use as the new folder --data, then exit")
      ->type_name("BACKUP")
      ->configurable(false);
  app->add_flag("--accept-older", flags->accept_older,
                "take an older copy of a store, as --data, into use: as --restore, but in place; "
                "then exit")
      ->configurable(false);
  CoordinatorConfig& config = flags->config;
  app->add_option("--store", config.store,
                  "postgresql://USER@HOST/DATABASE in place of --data; several coordinators may "
                  "share one: the first leads, the others stand by")
      ->type_name("URL");
  app->add_option("--store-password-file", config.store_password_file,
                  "its first line is the password for --store; without it PGPASSFILE or ~/.pgpass")
      ->type_name("FILE");
  app->add_option("--advertise", config.advertise,
                  "host:port at which agents and users reach this coordinator, unlike all others; "
                  "default: where it listens");
  AddDuration(app, "--leader-lease", &config.leader_lease,
              "a leader that is silent this long is replaced by a standby");
  CLI::Option* const from = app->add_option("--copy-store", flags->copy_store,
                                            "copy the store in this folder or database, which no "
                                            "coordinator uses, to --to, then exit");
  from->type_name("FROM")->configurable(false);
  CLI::Option* const to =
      app->add_option("--to", flags->copy_to, "for --copy-store: a database or a folder, empty");
  to->type_name("TO")->configurable(false);
  from->needs(to);
  to->needs(from);
  app->add_option("--backup-dir", config.backup_dir, "folder for backups, on another disk")
      ->type_name("DIR");
  AddDuration(app, "--backup-every", &config.backup_every,
              "interval of backups, if --backup-dir is given; 0s: only fpoctl backup makes them");
  app->add_option("--backup-keep", config.backup_keep, "how many backups are kept")
      ->capture_default_str();
}

}  // namespace

absl::StatusOr<CoordinatorFlags> ParseFlags(int argc, const char* const* argv) {
  CoordinatorFlags flags;
  CoordinatorConfig& config = flags.config;
  CLI::App app("Keeps jobs, hands them to workers and remembers what became of them.",
               "fpo-coordinator");
  AddServiceFlags(&app, &flags.check_config);
  AddListenFlags(&app, &config.listen,
                 "address of the status page, /metrics, /healthz and /readyz");
  app.add_option("--data", config.data, "folder of jobs, logs and events");
  AddStoreFlags(&app, &flags);
  AddDuration(&app, "--beat", &config.options.heartbeat, "interval of agents' heartbeats");
  AddDuration(&app, "--lease", &config.options.lease, "how long a silent worker may act");
  AddDuration(&app, "--reattach", &config.options.reattach,
              "after a start, no attempt is replaced for this long");
  AddDuration(&app, "--cancel-grace", &config.options.cancel_grace,
              "between asking a job to stop and killing it");
  AddDuration(&app, "--checkpoint-grace", &config.options.checkpoint_grace,
              "for a paused or preempted job to write its checkpoint");
  AddDuration(&app, "--unsatisfiable-after", &config.options.unsatisfiable_after,
              "a job that no workers can hold fails after this long");
  std::vector<std::string> quotas;
  app.add_option("--quota", quotas,
                 "slots in use, as owner:NAME=SLOTS or queue:NAME=SLOTS; NAME * is everyone else; "
                 "may be repeated");
  app.add_option("--owner-jobs-max", config.options.owner_jobs_max,
                 "jobs of one owner that have not ended; 0: any number")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  std::vector<std::string> limits;
  app.add_option("--owner-limit", limits,
                 "of known users, as NAME:jobs=1000,mib=64,priority=500: jobs that have not ended, "
                 "size of job files, highest priority; NAME * is everyone else; may be repeated");
  AddDuration(&app, "--keep-jobs", &config.options.keep_jobs,
              "jobs that ended longer ago are removed with all their lines; 0s: never");
  AddMib(&app, "--max-jobs-mib", &config.options.config_bytes_max,
         "configurations of all jobs, which are kept in memory; 0: any number");
  AddLogLimits(&app, &config.options.logs);
  AddMib(&app, "--reserve-mib", &config.reserve_bytes,
         "free disk space kept for changes of jobs; new jobs are refused below it, log lines "
         "wait at the workers below twice of it");
  AddDuration(&app, "--shutdown-grace", &config.grace, "for running calls at SIGTERM");
  const ProgramArguments arguments{argc, argv};
  FPO_ASSIGN_OR_RETURN(flags.text, ParseProgramFlags(&app, arguments));
  if (flags.text) return flags;
  if (!flags.copy_store.empty()) {
    const bool from_folder = !CheckPostgresAddress(flags.copy_store).ok();
    config.store = from_folder ? flags.copy_to : flags.copy_store;
    config.data.clear();
  }
  for (const std::string& text : quotas) {
    absl::StatusOr<QuotaRule> rule = ParseQuotaRule(text);
    if (!rule.ok()) {
      return LocateFlagError(
          app, arguments,
          absl::InvalidArgumentError(absl::StrCat("--quota: ", rule.status().message())));
    }
    config.options.quotas.push_back(*std::move(rule));
  }
  for (const std::string& text : limits) {
    absl::StatusOr<OwnerLimitRule> rule = ParseOwnerLimit(text);
    if (!rule.ok()) {
      return LocateFlagError(
          app, arguments,
          absl::InvalidArgumentError(absl::StrCat("--owner-limit: ", rule.status().message())));
    }
    config.options.owner_limits.push_back(*std::move(rule));
  }
  FPO_RETURN_IF_ERROR(LocateFlagError(app, arguments, config.Validate()));
  return flags;
}

}  // namespace fpo::coordinator
