#include "tests/support/process_fixture.h"

#include <poll.h>

#include "absl/time/clock.h"
#include "common/hash.h"
#include "worker/core/process/process_table.h"

namespace fpo::testing {

void RecordingSink::OnLine(int32_t, LineStream stream, const std::string& text) {
  absl::MutexLock lock(&mutex_);
  lines_.emplace_back(stream, text);
}

void RecordingSink::OnEvent(int32_t, const TrainEvent& event, const std::string&) {
  absl::MutexLock lock(&mutex_);
  events_.push_back(event);
}

std::vector<std::string> RecordingSink::lines(LineStream stream) const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> found;
  for (const auto& [name, text] : lines_) {
    if (name == stream) found.push_back(text);
  }
  return found;
}

std::vector<TrainEvent> RecordingSink::events() const {
  absl::MutexLock lock(&mutex_);
  return events_;
}

std::string RecordingSink::AwaitEvent(size_t count) {
  const auto arrived = [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return events_.size() >= count; };
  absl::MutexLock lock(&mutex_);
  if (!mutex_.AwaitWithTimeout(absl::Condition(&arrived), absl::Seconds(20))) return "";
  return events_[count - 1].message;
}

worker::RankCommand FakeTrainer(const std::vector<std::string>& words) {
  worker::RankCommand command;
  command.identity = {{RandomId(8), 1, 1}, 0};
  command.spawn.argv = {FPO_FAKE_TRAINER};
  command.spawn.argv.insert(command.spawn.argv.end(), words.begin(), words.end());
  command.spawn.environment =
      worker::RankEnvironment({"PATH=/usr/bin:/bin"}, command.identity, /*device=*/"");
  command.spawn.folder = "/tmp";
  return command;
}

bool IsAlive(pid_t pid) { return worker::ProcessStartTime(pid).has_value(); }

bool AwaitDeath(pid_t pid, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (IsAlive(pid)) {
    if (absl::Now() > deadline) return false;
    poll(nullptr, 0, 5);
  }
  return true;
}

}  // namespace fpo::testing
