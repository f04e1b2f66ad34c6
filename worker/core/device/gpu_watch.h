#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "worker/core/device/gpu_sample.h"

namespace fpo::worker {

// Asks a GPU driver for its numbers on a thread of its own, every few seconds, so that a driver
// which does not answer holds up nothing else. Thread-safe.
class GpuWatch {
 public:
  // Blocks as long as the driver does; called by one thread.
  using Sampler = std::function<absl::StatusOr<std::vector<GpuSample>>()>;
  struct Options {
    absl::Duration pace = absl::Seconds(5);
    absl::Duration stale_after = absl::Seconds(30);  // older numbers are not shown
    const SteadyClock* clock = nullptr;              // outlives the watch
  };

  // `open` makes the sampler, on that thread: opening a driver may hang, too.
  GpuWatch(std::function<absl::StatusOr<Sampler>()> open, const Options& options);
  // Does not wait for a driver that hangs: its thread is left behind, with what it uses.
  ~GpuWatch();

  // The newest numbers; nothing: the driver does not answer, or has not answered yet. Never waits.
  std::optional<std::vector<GpuSample>> Latest() const;
  // False when numbers have been due for `stale_after` and there are none.
  bool DriverAnswers() const;

 private:
  struct State;
  static void Run(const std::shared_ptr<State>& state,
                  const std::function<absl::StatusOr<Sampler>()>& open);

  const Options options_;
  // Shared with the thread, which may outlive this.
  const std::shared_ptr<State> state_;
};

}  // namespace fpo::worker
