#pragma once

#include <string>

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/postgres/postgres_key_values.h"
#include "common/rpc/listen_options.h"
#include "coordinator/core/coordinator_options.h"
#include "coordinator/core/provision/provision_pool.h"
#include "coordinator/rpc/traces/otlp_settings.h"

namespace fpo::coordinator {

// The configuration of fpo-coordinator. Filled only by flags.cc.
struct CoordinatorConfig {
  ListenOptions listen = {
      .listen = "127.0.0.1:7070", .http = "127.0.0.1:7071", .port_file = "", .tls = {}};
  std::string data;  // folder of the store, created when absent
  // postgresql://USER@HOST/DATABASE in place of the folder; several coordinators may share it.
  std::string store;
  std::string store_password_file;  // empty: PGPASSFILE, ~/.pgpass
  std::string cache;                // host:port of fpo-cache, for the status page; empty: not shown
  std::string cache_ca;             // of its certificate; empty: listen.tls.ca
  std::string advertise;            // of this one to others; empty: as it listens
  absl::Duration leader_lease = absl::Seconds(10);  // a leader that is silent so long is replaced
  std::string backup_dir;                           // copies of the store; empty: none are made
  absl::Duration backup_every = absl::Hours(6);     // zero: on request only
  int backup_keep = 28;                             // the newest ones
  std::string webhooks;                             // file of hooks; empty: none
  CoordinatorOptions options;                       // timing
  std::vector<ProvisionPool> pools;                 // of workers that may be asked for
  // Free space for changes of jobs: new jobs are refused below it, log lines below twice of it.
  int64_t reserve_bytes = int64_t{256} << 20;
  absl::Duration grace = absl::Seconds(5);  // for running calls at shutdown
  OtlpSettings traces;                      // where they go, if anywhere

  // InvalidArgument names the flag and what is allowed.
  absl::Status Validate() const;
};

// The database of --store.
absl::StatusOr<std::shared_ptr<PostgresKeyValues>> OpenPostgres(const CoordinatorConfig& config);

}  // namespace fpo::coordinator
