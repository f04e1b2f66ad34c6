#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/config.h"

namespace fpo::worker {

// All parts of fpo-worker, wired: journal, spawner, spools, links, metrics.
class Worker {
 public:
  struct Build {
    std::string version;
    std::string commit;
  };
  // FailedPrecondition: another agent has the work folder; InvalidArgument: a requested device is
  // missing; InvalidArgument or Unavailable: an address. First kills what a dead agent left.
  // `on_over` is called, on another thread, when the coordinator will never accept this worker
  // (refusal() says why), and when it let it go (refusal() is OK).
  static absl::StatusOr<std::unique_ptr<Worker>> Start(
      const WorkerConfig& config, const Build& build, std::function<void()> on_over = [] {});
  ~Worker();

  // Stops every attempt within the grace time and reports to the coordinator. Blocks; once.
  void Drain();
  absl::Status refusal() const;  // OK: none; else as GrpcCoordinatorLink::Options::on_refused

 private:
  struct Parts;
  explicit Worker(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace fpo::worker
