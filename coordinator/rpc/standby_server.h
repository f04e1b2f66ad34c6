#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/observe/metrics.h"
#include "common/rpc/listen_options.h"
#include "common/rpc/security/access_control.h"
#include "common/rpc/server.h"
#include "coordinator/rpc/coordinator_service.h"
#include "coordinator/rpc/worker_control_service.h"

namespace fpo::coordinator {

// The address of a coordinator that does not lead: every call is answered with UNAVAILABLE
// (NOT_LEADER) and the leader's address, health checks with NOT_SERVING, /healthz with "standby".
// Thread-safe.
class StandbyServer {
 public:
  static absl::StatusOr<std::unique_ptr<StandbyServer>> Start(const ListenOptions& listen,
                                                              const std::string& version,
                                                              const std::string& commit);
  ~StandbyServer();

  // The leader's address (empty: there is none) and why this one could not look, if so.
  void SetLeader(const std::string& address, const absl::Status& problem);
  std::string grpc_address() const { return rpc_->address(); }
  std::string http_address() const { return http_ ? http_->address() : ""; }

 private:
  StandbyServer() = default;
  absl::Status NotLeader() const;

  MetricsRegistry registry_;
  mutable absl::Mutex mutex_;
  std::string leader_ ABSL_GUARDED_BY(mutex_);
  absl::Status problem_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<AccessControl> access_;  // closed: no call gets further
  std::unique_ptr<WorkPool> pool_;
  OpenStreams streams_{"the coordinator"};
  std::unique_ptr<CoordinatorService> user_service_;
  std::unique_ptr<WorkerControlService> worker_service_;
  std::unique_ptr<RpcServer> rpc_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace fpo::coordinator
