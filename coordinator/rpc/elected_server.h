#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock.h"
#include "common/postgres/postgres_key_values.h"
#include "common/ticker.h"
#include "coordinator/config.h"
#include "coordinator/core/store/leader_election.h"
#include "coordinator/rpc/coordinator_server.h"
#include "coordinator/rpc/standby_server.h"

namespace fpo::coordinator {

// One of several coordinators on a shared store: a StandbyServer until it is elected, then a
// CoordinatorServer until it is deposed, on the same addresses, and so on. Thread-safe.
class ElectedServer {
 public:
  // Listens as a standby, then writes the port file. Unavailable: the store cannot be reached.
  static absl::StatusOr<std::unique_ptr<ElectedServer>> Start(const CoordinatorConfig& config,
                                                              const std::string& version,
                                                              const std::string& commit);
  ~ElectedServer();  // Shutdown

  // Steps down, so that another one leads at once, and ends. A second call does nothing.
  void Shutdown();

 private:
  ElectedServer(const CoordinatorConfig& config, std::string version, std::string commit);
  void Run();
  void StandBy();
  void Serve();
  void Renew();
  bool Pause(absl::Duration time);  // false: it is to end

  CoordinatorConfig config_;  // with the real ports
  const std::string version_;
  const std::string commit_;
  BootClock steady_;
  std::shared_ptr<PostgresKeyValues> values_;
  std::unique_ptr<LeaderElection> election_;  // used by one thread at a time
  std::unique_ptr<StandbyServer> standby_;
  std::unique_ptr<CoordinatorServer> server_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool leads_ ABSL_GUARDED_BY(mutex_) = false;  // in Serve
  std::string why_ ABSL_GUARDED_BY(mutex_);     // not any more
  std::thread thread_;
};

}  // namespace fpo::coordinator
