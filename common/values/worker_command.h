#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/values/attempt_ref.h"
#include "common/values/job_kind.h"
#include "common/values/store_mark.h"

// Messages from the coordinator to a worker.
namespace fpo {

// The first message of a session: what becomes of the attempts that the worker reported.
struct WelcomeCommand {
  std::vector<AttemptRef> adopt;  // continue
  std::vector<AttemptRef> kill;   // stop at once: nothing they write can count
  absl::Duration heartbeat;       // between heartbeats
  // after this long without an answered heartbeat the worker publishes nothing
  absl::Duration lease;
  StoreMark store = {};
};

struct HeartbeatAckCommand {
  uint64_t seq = 0;
  uint64_t store_revision = 0;  // of StoreMark
};

struct AssignCommand {
  AttemptRef attempt;
  std::string config_json;  // the effective job
  int32_t slots = 1;        // on this worker
  int32_t first_rank = 0;
  int32_t world_size = 1;
  bool resume = false;             // an earlier attempt may have left checkpoints
  int64_t discard_after_step = 0;  // checkpoints of later steps are not wanted; 0: all are
  std::string store_address;       // rank 0's rendezvous, host:port; empty with one rank
  std::string owner = {};
  std::string traceparent = {};  // of the attempt's span; empty: the job is in no trace
};

struct StopCommand {
  AttemptRef attempt;
  absl::Duration grace;  // SIGTERM, then SIGKILL after this; zero: kill at once
  std::string reason;
};

// Lines up to these numbers are durable.
struct AckCommand {
  AttemptRef attempt = {};
  uint64_t events_seq = 0;
  uint64_t logs_seq = 0;
};

// Log lines from this number on were not stored, for want of space that there is again.
struct ResendLogsCommand {
  AttemptRef attempt = {};
  uint64_t from_seq = 0;
};

// Checkpoint folders of a job that is not running.
struct KeepCheckpointsCommand {
  std::string job_id = {};
  std::vector<std::string> remove = {};  // missing ones are ignored
  std::vector<std::string> pin = {};     // retention leaves them alone
  std::vector<std::string> unpin = {};
};

// Files that a user requested; answered by a PushArtifact call.
struct ServeArtifactCommand {
  std::string transfer_id = {};
  std::string folder = {};  // absolute
  bool checkpoint = false;  // else the output folder of a job
  std::string file = {};    // as listed; empty: the list
  int64_t offset = 0;       // the user already has this many bytes of it
  bool exported = false;    // as a model folder
  // Of the job, for its output folder: what it left there, and no other job's files.
  std::optional<JobKind> kind = {};
  std::string owner = {};
  std::string model_manifest = {};  // digest of model/manifest.json in hex, as it reported it
};

// The worker asked to leave and is no longer counted on: it may end.
struct DismissCommand {};

using WorkerCommand =
    std::variant<WelcomeCommand, HeartbeatAckCommand, AssignCommand, StopCommand, AckCommand,
                 ResendLogsCommand, KeepCheckpointsCommand, ServeArtifactCommand, DismissCommand>;

}  // namespace fpo
