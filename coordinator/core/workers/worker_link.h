#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core/jobs/job.h"

namespace fpo::coordinator {

// The first message down: what becomes of the attempts the agent said it runs.
struct WelcomeCommand {
  std::vector<AttemptRef> adopt;  // go on
  std::vector<AttemptRef> kill;   // stop at once: nothing they write can count
  absl::Duration beat;
  absl::Duration lease;
};

struct BeatAckCommand {
  uint64_t seq = 0;
};

struct AssignCommand {
  AttemptRef ref;
  std::string config_json;
  int32_t slots = 1;  // on this worker
  int32_t first_rank = 0;
  int32_t world_size = 1;
  bool resume = false;             // an earlier attempt may have left checkpoints
  int64_t discard_after_step = 0;  // later checkpoints are not wanted; 0: all are
  std::string store_address;       // rank 0's rendezvous; empty with one worker
  std::string owner = {};
};

struct StopCommand {
  AttemptRef ref;
  absl::Duration grace;  // zero: kill at once
  std::string reason;
};

// Everything up to these numbers is durable.
struct AckCommand {
  AttemptRef ref = {};
  uint64_t events_seq = 0;
  uint64_t logs_seq = 0;
};

// Checkpoint folders of a job that does not run.
struct KeepCheckpointsCommand {
  std::string job_id = {};
  std::vector<std::string> remove = {};
  std::vector<std::string> pin = {};  // retention leaves them alone
  std::vector<std::string> unpin = {};
};

// Files that a user waits for; the answer is a PushArtifact call.
struct ServeArtifactCommand {
  std::string transfer_id = {};
  std::string folder = {};
  bool checkpoint = false;
  std::string file = {};  // empty: the list
  int64_t offset = 0;
};

using WorkerCommand = std::variant<WelcomeCommand, BeatAckCommand, AssignCommand, StopCommand,
                                   AckCommand, KeepCheckpointsCommand, ServeArtifactCommand>;

// The way to one agent, implemented by the network edge. Thread-safe; neither call blocks nor calls
// back into the coordinator.
class WorkerLink {
 public:
  virtual ~WorkerLink() = default;
  // Queued in order; lost when the connection breaks. A full queue ends the session.
  virtual void Send(const WorkerCommand& command) = 0;
  virtual void Close(const absl::Status& why) = 0;  // ends the session; later sends do nothing
};

}  // namespace fpo::coordinator
