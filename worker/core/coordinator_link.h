#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/values/line.h"
#include "common/values/report.h"
#include "common/values/worker_command.h"

// What agent and coordinator exchange, as plain values; rpc/grpc_coordinator_link.h carries it.
namespace fpo::worker {

using Outgoing = std::variant<Report, EventBatch, LogBatch, Closing, Leaving>;

// The agent as its link sees it; implemented by Agent. Thread-safe; only Next blocks for long.
class CoordinatorListener {
 public:
  virtual ~CoordinatorListener() = default;

  // Attempts that are running, or whose end the coordinator may not know: for Hello.
  virtual std::vector<AttemptRef> RunningAttempts() = 0;
  virtual void OnConnected(const std::vector<AttemptRef>& kill, absl::Duration lease) = 0;
  virtual void OnDisconnected() = 0;
  // Called about once a second while there is no session.
  virtual void OnStillAway() = 0;
  // Whether no attempt is running.
  virtual bool IsIdle() = 0;
  // The coordinator has another store, or an older state of it; attempts continue. Called at each
  // try.
  virtual void OnWrongStore(const std::string& why) = 0;
  // The coordinator will never accept this agent again: its attempts are void and are killed.
  virtual void OnRefused(const std::string& why) = 0;
  virtual void OnAssign(const AssignCommand& assignment) = 0;
  virtual void OnStop(const AttemptRef& attempt, absl::Duration grace, const std::string& why) = 0;
  virtual void OnCheckpointOrder(const KeepCheckpointsCommand& order) = 0;
  // Lines up to these numbers are durable at the coordinator.
  virtual void OnAck(const AttemptRef& attempt, uint64_t events_seq, uint64_t logs_seq) = 0;
  // Log lines from this number on are to be sent again.
  virtual void OnResendLogs(const AttemptRef& attempt, uint64_t from_seq) = 0;
  // The coordinator lets this worker go, which said Leaving.
  virtual void OnDismissed() = 0;
  virtual void OnHeartbeatSent(uint64_t seq) = 0;
  virtual void OnHeartbeatAnswered(uint64_t seq, absl::Time sent) = 0;
  // The next message to send in this session; nullopt when there was none for
  // `patience`.
  virtual std::optional<Outgoing> Next(absl::Duration patience) = 0;
};

}  // namespace fpo::worker
