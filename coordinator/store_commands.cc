#include "coordinator/store_commands.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "coordinator/core/backup/store_repair.h"
#include "coordinator/core/backup/store_restore.h"
#include "coordinator/core/store/leader_election.h"
#include "coordinator/core/store/postgres_job_store.h"
#include "coordinator/core/store/rocksdb_job_store.h"

namespace fpo::coordinator {
namespace {

// What a command says on stdout, or why it failed.
using Said = absl::StatusOr<std::string>;

std::string List(const std::string& heading, const std::vector<std::string>& items) {
  std::string text = absl::StrCat(heading, ": ", items.size(), "\n");
  for (const std::string& item : items) absl::StrAppend(&text, "  ", item, "\n");
  return text;
}

std::string List(const RestoreReport& report) {
  return absl::StrCat(
      List("jobs that cannot be read", report.damaged_jobs),
      List("jobs whose processes are stopped before they go on", report.fenced_jobs),
      List("jobs that wait", report.waiting_jobs),
      List("jobs that had ended", report.terminal_jobs),
      "Jobs that were submitted later are not in it: submit them again. What ended later runs "
      "again.\n");
}

// A database whose lead this program has: no coordinator writes to it meanwhile.
absl::StatusOr<std::shared_ptr<PostgresKeyValues>> LeadPostgres(const CoordinatorConfig& config) {
  FPO_ASSIGN_OR_RETURN(std::shared_ptr<PostgresKeyValues> values, OpenPostgres(config));
  const BootClock steady;
  LeaderElection election({"a command of fpo-coordinator", config.leader_lease}, values.get(),
                          &steady);
  const absl::Time give_up = steady.Now() + 2 * config.leader_lease;
  while (!election.Turn()) {
    if (steady.Now() > give_up) {
      return absl::FailedPreconditionError(
          absl::StrCat(election.leader().empty() ? "the database cannot be used: "
                                                 : "a coordinator leads, stop it first: ",
                       election.leader(), election.problem().message()));
    }
    absl::SleepFor(config.leader_lease / 10);
  }
  return values;
}

// The store of --data or --store.
absl::StatusOr<std::unique_ptr<KeyedJobStore>> OpenStore(const CoordinatorConfig& config) {
  if (config.store.empty()) return RocksdbJobStore::Open(config.data);
  FPO_ASSIGN_OR_RETURN(std::shared_ptr<PostgresKeyValues> values, LeadPostgres(config));
  return PostgresJobStore::Open(std::move(values));
}

Said Init(const CoordinatorConfig& config) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<KeyedJobStore> store, OpenStore(config));
  FPO_ASSIGN_OR_RETURN(StoreIdentity identity, store->LoadIdentity());
  const std::string name = store->values().Name();
  if (identity.confirmed) {
    return absl::AlreadyExistsError(absl::StrCat(name, " holds store ", identity.id, " already"));
  }
  identity.confirmed = true;
  FPO_RETURN_IF_ERROR(store->PutIdentity(identity));
  return absl::StrCat("made store ", identity.id, " in ", name, "\n");
}

Said Repair(const std::string& data) {
  FPO_ASSIGN_OR_RETURN(const RepairReport report, RepairJobStore(data, absl::Now()));
  return absl::StrCat(List("damaged files moved to " + data + "/lost", report.files),
                      List("jobs that cannot be read any more", report.damaged_jobs),
                      List("jobs held until fpoctl release", report.held_jobs),
                      List("other jobs", report.other_jobs),
                      "Jobs that were only in the damaged files are not in these lists.\n");
}

Said Restore(const std::string& backup, const std::string& data) {
  FPO_ASSIGN_OR_RETURN(const RestoreReport report, RestoreJobStore(backup, data, absl::Now()));
  return absl::StrCat(
      "restored store ", report.manifest.store_id, " as of ",
      absl::FormatTime(absl::RFC3339_sec, report.manifest.time, absl::UTCTimeZone()), " from ",
      backup, " into ", data, "\n", List(report));
}

Said AcceptOlder(const CoordinatorConfig& config) {
  FPO_ASSIGN_OR_RETURN(const std::unique_ptr<KeyedJobStore> store, OpenStore(config));
  FPO_ASSIGN_OR_RETURN(const RestoreReport report, MoveBeyondTheSeen(store.get(), absl::Now()));
  return absl::StrCat("took the store in ", store->values().Name(), " into use as it is\n",
                      List(report));
}

Said CopyStore(const CoordinatorFlags& flags) {
  FPO_ASSIGN_OR_RETURN(const std::shared_ptr<PostgresKeyValues> values, LeadPostgres(flags.config));
  absl::Status copied;
  if (flags.config.store == flags.copy_to) {
    copied = CopyToPostgres(flags.copy_store, values.get());
  } else if (std::filesystem::exists(flags.copy_to)) {
    copied = absl::AlreadyExistsError(absl::StrCat(flags.copy_to, " exists: name a new folder"));
  } else {
    FPO_ASSIGN_OR_RETURN(const std::unique_ptr<PostgresJobStore> store,
                         PostgresJobStore::Open(values));
    copied = store->CopyTo(flags.copy_to);
  }
  FPO_RETURN_IF_ERROR(copied);
  FPO_RETURN_IF_ERROR(values->StepDown());
  return absl::StrCat("copied the store in ", flags.copy_store, " to ", flags.copy_to,
                      "; it is the same store: use one of them\n");
}

}  // namespace

std::optional<absl::StatusOr<std::string>> RunStoreCommand(const CoordinatorFlags& flags) {
  const CoordinatorConfig& config = flags.config;
  if ((flags.repair || !flags.restore.empty()) && config.data.empty()) {
    return absl::InvalidArgumentError(
        "--repair and --restore work on a folder, --data; from there: --copy-store DIR --to URL");
  }
  if (flags.init) return Init(config);
  if (flags.repair) return Repair(config.data);
  if (!flags.restore.empty()) return Restore(flags.restore, config.data);
  if (flags.accept_older) return AcceptOlder(config);
  if (!flags.copy_store.empty()) return CopyStore(flags);
  return std::nullopt;
}

}  // namespace fpo::coordinator
