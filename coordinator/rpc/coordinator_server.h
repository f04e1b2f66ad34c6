#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "coordinator/config.h"
#include "coordinator/core/store/keyed_job_store.h"

namespace fpo::coordinator {

// The whole fpo-coordinator behind its flags: store, core, gRPC, HTTP, clock. Thread-safe.
class CoordinatorServer {
 public:
  // Loads all jobs, then listens, then writes the port file. `version` and `commit` are for
  // fpo_build_info.
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(const CoordinatorConfig& config,
                                                                  const std::string& version,
                                                                  const std::string& commit);
  // The same on a store that is open.
  struct Build {
    std::string version;
    std::string commit;
  };
  static absl::StatusOr<std::unique_ptr<CoordinatorServer>> Start(
      const CoordinatorConfig& config, std::unique_ptr<KeyedJobStore> store, const Build& build);
  ~CoordinatorServer();  // Shutdown

  std::string grpc_address() const;
  std::string http_address() const;  // empty without HTTP
  // Reports NOT_SERVING, ends every stream, gives running calls the grace time, makes lines
  // durable. Jobs continue. A second call does nothing.
  void Shutdown();

 private:
  struct State;
  explicit CoordinatorServer(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace fpo::coordinator
