#include "worker/core/device/gpu_watch.h"

#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/observe/log.h"
#include "common/waits/steady_wait.h"

namespace fpo::worker {

struct GpuWatch::State {
  Options options;

  absl::Mutex mutex;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
  bool ended ABSL_GUARDED_BY(mutex) = false;   // the thread uses the driver no more
  absl::Time answered ABSL_GUARDED_BY(mutex);  // at first when the watch began
  std::optional<std::vector<GpuSample>> samples ABSL_GUARDED_BY(mutex);

  bool IsFresh() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return options.clock->Now() - answered <= options.stale_after;
  }
};

GpuWatch::GpuWatch(std::function<absl::StatusOr<Sampler>()> open, const Options& options)
    : options_(options), state_(std::make_shared<State>()) {
  state_->options = options;
  {
    absl::MutexLock lock(&state_->mutex);
    state_->answered = options.clock->Now();
  }
  std::thread([state = state_, open = std::move(open)] { Run(state, open); }).detach();
}

GpuWatch::~GpuWatch() {
  absl::MutexLock lock(&state_->mutex);
  state_->stopping = true;
  // A thread between two calls ends at once; one in a call that is answered ends with it.
  AwaitFor(&state_->mutex, absl::Condition(&state_->ended), absl::Seconds(1));
}

void GpuWatch::Run(const std::shared_ptr<State>& state,
                   const std::function<absl::StatusOr<Sampler>()>& open) {
  absl::StatusOr<Sampler> sampler = open();
  bool said = false;
  for (;;) {
    absl::StatusOr<std::vector<GpuSample>> read = sampler.ok() ? (*sampler)() : sampler.status();
    if (read.ok()) {
      said = false;
    } else if (!std::exchange(said, true)) {
      Log(LogLevel::kWarning, "the GPU driver gives no numbers",
          {{"why", std::string(read.status().message())}});
    }
    absl::MutexLock lock(&state->mutex);
    if (state->stopping) break;  // the clock may be gone
    if (read.ok()) {
      state->samples = *std::move(read);
      state->answered = state->options.clock->Now();
    } else {
      state->samples.reset();
    }
    if (AwaitFor(&state->mutex, absl::Condition(&state->stopping), state->options.pace)) break;
  }
  sampler = absl::CancelledError();  // closes the driver
  absl::MutexLock lock(&state->mutex);
  state->ended = true;
}

std::optional<std::vector<GpuSample>> GpuWatch::Latest() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->IsFresh() ? state_->samples : std::nullopt;
}

bool GpuWatch::DriverAnswers() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->IsFresh();
}

}  // namespace fpo::worker
