#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/streams/open_streams.h"
#include "common/ticker.h"
#include "coordinator/core/coordinator.h"
#include "coordinator/core/lines/audit_log.h"

namespace fpo::coordinator {

// Drives the coordinator: flushes lines every `flush`, ticks every `tick` and soon after something
// happened. Thread-safe.
class CoordinatorLoop {
 public:
  struct Options {
    absl::Duration flush = absl::Milliseconds(200);
    absl::Duration tick = absl::Seconds(1);
    OpenStreams* streams = nullptr;  // ticked too; not owned
  };
  // `coordinator` and `audit` are not owned.
  CoordinatorLoop(Coordinator* coordinator, AuditLog* audit, Options options)
      : coordinator_(coordinator), audit_(audit), options_(options) {}
  ~CoordinatorLoop();  // Stop

  void Start();
  void Stop();                                                           // flushes once more
  absl::Status CheckTurning() const { return ticker_->CheckTurning(); }  // once it was started

 private:
  void Turn(absl::Time now);

  Coordinator* const coordinator_;
  AuditLog* const audit_;
  const Options options_;
  bool stopped_ = false;

  // Of the ticker's thread alone.
  absl::Duration since_tick_ = absl::InfiniteDuration();
  absl::Time turned_ = absl::InfiniteFuture();  // when the last turn began
  absl::Time listen_until_ = absl::InfinitePast();

  std::optional<Ticker> ticker_;
};

}  // namespace fpo::coordinator
