#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/agent/config.h"

namespace fpo::agent {

// All parts of fpo-worker, wired: journal, spawner, spools, links, metrics.
class Worker {
 public:
  // FailedPrecondition: the work folder belongs to another agent; InvalidArgument or Unavailable:
  // an address. Leftovers of a dead agent are killed first.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(const WorkerConfig& config,
                                                       const std::string& version,
                                                       const std::string& commit);
  ~Worker();

  // Stops every attempt within the grace time and tells the coordinator. Blocks; once.
  void Drain();

 private:
  struct Parts;
  explicit Worker(std::unique_ptr<Parts> parts);
  const std::unique_ptr<Parts> parts_;
};

}  // namespace fpo::agent
