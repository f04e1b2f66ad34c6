#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/listen_options.h"
#include "common/values/worker_hello.h"
#include "worker/core/coordinator_link.h"
#include "worker/core/host/known_store.h"
#include "worker/rpc/artifact_sender.h"

namespace fpo::worker {

// Maintains one Session stream with the coordinator: dials, sends Hello, sends heartbeats on its
// own thread, carries the listener's messages, and dials again, of several coordinators the next
// one, when the stream breaks or is silent for a lease, unless it was rejected in a way that
// waiting cannot fix. Thread-safe.
class GrpcCoordinatorLink final {
 public:
  struct Options {
    std::string address;  // host:port; with several coordinators all of them, with commas
    TlsFiles tls;
    std::string token_file;       // of a worker; empty: none
    WorkerHello hello;            // without running attempts and devices
    KnownStore* store = nullptr;  // not owned
    std::function<std::vector<Device>()> devices = [] { return std::vector<Device>(); };  // now
    FolderOfExport export_checkpoint = [](const std::string&) -> absl::StatusOr<std::string> {
      return absl::UnimplementedError("this worker exports no checkpoints");
    };
    MayServeOrder may_serve = [](ServeArtifactCommand*) { return absl::OkStatus(); };
    std::atomic<int>* pushes = nullptr;  // counts files being sent; not owned, may be null
    // Called once, on a thread of the client, when dialling has ended for good: another agent has
    // the name (AlreadyExists, FailedPrecondition), the token is wrong (Unauthenticated,
    // PermissionDenied), or this agent or that address is wrong (InvalidArgument).
    std::function<void(const absl::Status&)> on_refused = [](const absl::Status&) {};
    // Delay after a session ended. A channel without a connection has its own, 0.5 to 5 s.
    absl::Duration backoff_first = absl::Milliseconds(500);
    absl::Duration backoff_most = absl::Seconds(5);
    absl::Duration welcome_time = absl::Seconds(10);  // to the first answer
    // The same with several coordinators: one that stands still must not cost the time within which
    // the one that leads expects its agents.
    absl::Duration welcome_time_of_several = absl::Seconds(3);
  };

  // Starts dialling; `listener` outlives the client. InvalidArgument: address or TLS files.
  static absl::StatusOr<std::unique_ptr<GrpcCoordinatorLink>> Start(Options options,
                                                                    CoordinatorListener* listener);
  ~GrpcCoordinatorLink();  // ends the session and joins

 private:
  struct State;
  explicit GrpcCoordinatorLink(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace fpo::worker
