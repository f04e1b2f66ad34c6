#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ctl/command_line/invocation.h"
#include "ctl/interrupt.h"
#include "ctl/rpc/reconnect_policy.h"

namespace fpo {
class ReferenceCacheClient;  // common/cache_client/reference_cache_client.h
}

namespace fpo::ctl {

class CoordinatorClient;  // coordinator_client.h; it and the cache's bring their services' code
                          // along

// Intervals of following a job; tests shorten them.
struct FollowTimes {
  absl::Duration redraw_min = absl::Milliseconds(250);   // between two drawings on a terminal
  absl::Duration export_look = absl::Seconds(1);         // until a checkpoint is exported
  absl::Duration line_min = absl::Seconds(10);           // between two progress lines on a pipe
  absl::Duration submit_repeat_for = absl::Seconds(10);  // a submit whose answer was lost
  ReconnectOptions reconnect = {};
};

// One run of one command: its arguments, where output goes, and how it is stopped. The command owns
// none of it.
struct Session {
  const Invocation& invocation;
  const Environment& environment;
  std::ostream& out;  // data
  std::ostream& err;  // everything else
  Interrupt& interrupt;
  FollowTimes times = {};

  const Settings& settings() const { return invocation.settings; }
  const TextStyle& style() const { return environment.style; }
};

// InvalidArgument (usage) for a malformed address or unreadable TLS files. Connecting itself
// happens at the first call.
absl::StatusOr<CoordinatorClient> ConnectCoordinator(Session& session);
absl::StatusOr<ReferenceCacheClient> ConnectCache(Session& session);
// Calls are made again while the cache is being replaced (patience.h), an interrupt ends them, and
// errors say what the user can do.
ReferenceCacheClient CacheClientOf(const std::shared_ptr<grpc::Channel>& channel,
                                   const std::string& address, const Interrupt& interrupt);

}  // namespace fpo::ctl
