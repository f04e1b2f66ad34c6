#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/listen_options.h"
#include "worker/core/coordinator_link.h"
#include "worker/core/device/device_probe.h"
#include "worker/core/home.h"

namespace fpo::worker {

// Keeps one Session stream with the coordinator: dials, says Hello, beats on a thread of its own,
// carries what the listener has to say, and dials again when the stream breaks or falls silent for
// a lease, unless it was refused in a way that waiting does not mend. Thread-safe.
class GrpcCoordinatorLink final : public CoordinatorLink {
 public:
  struct Options {
    std::string address;
    TlsFiles tls;
    std::string token;  // of a worker; empty: the coordinator wants none
    std::string worker_id;
    std::string instance_id;  // random, of this process
    std::string host;
    std::string version;
    int32_t slots = 1;
    std::map<std::string, std::string> labels;  // what jobs may require
    std::string device;                         // cpu | cuda
    std::string work_dir;                       // for people
    Home home;
    std::function<std::vector<Device>()> devices = [] { return std::vector<Device>(); };  // now
    // Dialling has ended for good: another agent has the name (AlreadyExists, FailedPrecondition),
    // the token is not the right one (Unauthenticated, PermissionDenied), or this agent or that
    // address is wrong (InvalidArgument). Called once, on a thread of the client.
    std::function<void(const absl::Status&)> on_refused = [](const absl::Status&) {};
    // After a session ended. A channel without a connection has its own, 0.5 to 5 s.
    absl::Duration backoff_first = absl::Milliseconds(500);
    absl::Duration backoff_most = absl::Seconds(5);
    absl::Duration welcome_time = absl::Seconds(10);  // to the first answer
  };

  // Starts dialling; `listener` outlives the client. InvalidArgument: address or TLS files.
  static absl::StatusOr<std::unique_ptr<GrpcCoordinatorLink>> Start(Options options,
                                                                    CoordinatorListener* listener);
  ~GrpcCoordinatorLink() override;  // ends the session and joins

  bool connected() const override;

 private:
  struct State;
  explicit GrpcCoordinatorLink(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace fpo::worker
