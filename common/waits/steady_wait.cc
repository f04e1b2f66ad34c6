#include "common/waits/steady_wait.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace fpo {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr absl::Duration kLongest = absl::Hours(24 * 365);

struct TimedWait {
  absl::Mutex* mutex = nullptr;
  bool is_over = false;  // guarded by `mutex`
};

// Ends waits when their time has come. Never destroyed: waits may outlive main.
class WaitTimer {
 public:
  static WaitTimer& Get() {
    static WaitTimer* const timer = new WaitTimer;
    return *timer;
  }

  void Add(SteadyTime end, TimedWait* wait) {
    const std::lock_guard lock(mutex_);
    const bool is_next = waits_.empty() || end < waits_.begin()->first;
    waits_.emplace(end, wait);
    if (is_next) changed_.notify_one();
  }

  // False: it is being ended now, see AwaitEnd.
  bool Remove(SteadyTime end, TimedWait* wait) {
    const std::lock_guard lock(mutex_);
    for (auto it = waits_.lower_bound(end); it != waits_.end() && it->first == end; ++it) {
      if (it->second != wait) continue;
      waits_.erase(it);
      return true;
    }
    return false;
  }

  // Returns when the timer will not touch the wait any more. Its mutex must be free, or the wait
  // over.
  void AwaitEnd(const TimedWait* wait) {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return ending_ != wait; });
  }

 private:
  WaitTimer() {
    std::thread([this] { Loop(); }).detach();
  }

  void Loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (waits_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const auto next = waits_.begin();
      const SteadyTime end = next->first;
      if (std::chrono::steady_clock::now() < end) {
        changed_.wait_until(lock, end);
        continue;
      }
      TimedWait* const wait = next->second;
      waits_.erase(next);
      ending_ = wait;
      lock.unlock();
      {
        absl::MutexLock held(wait->mutex);
        wait->is_over = true;
      }
      lock.lock();
      ending_ = nullptr;
      ended_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable ended_;
  std::multimap<SteadyTime, TimedWait*> waits_;
  const TimedWait* ending_ = nullptr;
};

}  // namespace

bool AwaitFor(absl::Mutex* mutex, const absl::Condition& condition,
              absl::Duration timeout) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (condition.Eval()) return true;
  if (timeout <= absl::ZeroDuration()) return false;
  TimedWait wait{.mutex = mutex};
  const SteadyTime end =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(std::min(timeout, kLongest));
  WaitTimer& timer = WaitTimer::Get();
  timer.Add(end, &wait);
  const auto may_return = [&] { return wait.is_over || condition.Eval(); };
  mutex->Await(absl::Condition(&may_return));
  if (wait.is_over) {
    timer.AwaitEnd(&wait);  // it has let go of the mutex and only has to take note
  } else if (!timer.Remove(end, &wait)) {
    mutex->Unlock();
    timer.AwaitEnd(&wait);
    mutex->Lock();
  }
  return condition.Eval();
}

}  // namespace fpo
