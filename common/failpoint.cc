#include "common/failpoint.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace fpo {
namespace {

struct Armed {
  int signal = 0;         // 0: an error
  int64_t hits_left = 1;  // the action starts when this reaches 0
};

// One per process: a failpoint is named by a flag and may be hit anywhere.
struct Registry {
  std::atomic<bool> any = false;
  absl::Mutex mutex;
  std::map<std::string, Armed, std::less<>> armed ABSL_GUARDED_BY(mutex);
};

Registry& TheRegistry() {
  static Registry& registry = *new Registry();  // outlives every thread that may still hit one
  return registry;
}

}  // namespace

absl::Status ArmFailpoint(absl::string_view spec) {
  const absl::Status malformed = absl::InvalidArgumentError(
      absl::StrCat("failpoint \"", spec,
                   "\": write NAME=kill, NAME=stop or NAME=error, with @N for its N-th "
                   "hit"));
  const size_t equals = spec.find('=');
  if (equals == absl::string_view::npos || equals == 0) return malformed;
  const std::string name(spec.substr(0, equals));
  absl::string_view action = spec.substr(equals + 1);
  Armed armed;
  if (const size_t at = action.find('@'); at != absl::string_view::npos) {
    if (!absl::SimpleAtoi(action.substr(at + 1), &armed.hits_left) || armed.hits_left < 1) {
      return malformed;
    }
    action = action.substr(0, at);
  }
  if (action != "kill" && action != "stop" && action != "error") return malformed;
  if (action == "kill") armed.signal = SIGKILL;
  if (action == "stop") armed.signal = SIGSTOP;
  Registry& registry = TheRegistry();
  absl::MutexLock lock(&registry.mutex);
  registry.armed[name] = armed;
  registry.any.store(true, std::memory_order_relaxed);
  return absl::OkStatus();
}

void DisarmFailpoints() {
  Registry& registry = TheRegistry();
  absl::MutexLock lock(&registry.mutex);
  registry.armed.clear();
  registry.any.store(false, std::memory_order_relaxed);
}

absl::Status HitFailpoint(absl::string_view name) {
  Registry& registry = TheRegistry();
  if (!registry.any.load(std::memory_order_relaxed)) return absl::OkStatus();
  absl::MutexLock lock(&registry.mutex);
  const auto it = registry.armed.find(std::string(name));
  if (it == registry.armed.end()) return absl::OkStatus();
  if (it->second.hits_left > 1) {
    --it->second.hits_left;
    return absl::OkStatus();
  }
  if (const int signal = it->second.signal; signal != 0) {
    registry.armed.erase(it);
    kill(getpid(), signal);
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat("failpoint ", name));
}

}  // namespace fpo
