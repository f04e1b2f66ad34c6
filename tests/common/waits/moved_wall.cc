#include "tests/common/waits/moved_wall.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <utility>

namespace {

std::atomic<int64_t> moved_seconds = 0;

}  // namespace

// Takes the place of the C library's.
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const auto failed = static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  if (failed == 0 && clock == CLOCK_REALTIME) time->tv_sec += moved_seconds.load();
  return failed;
}

// absl's timeouts begin with this one.
extern "C" int gettimeofday(timeval* time, void* /*zone*/) noexcept {
  timespec now{};
  const int failed = clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return failed;
}

namespace fpo::testing {

MovedWall::MovedWall(absl::Duration by) { moved_seconds = absl::ToInt64Seconds(by); }

MovedWall::~MovedWall() { moved_seconds = 0; }

bool EndsInTime(std::function<void()> work, std::chrono::seconds time) {
  auto ended = std::make_shared<std::promise<void>>();
  std::future<void> end = ended->get_future();
  std::thread([work = std::move(work), ended] {
    work();
    ended->set_value();
  }).detach();
  return end.wait_for(time) == std::future_status::ready;
}

}  // namespace fpo::testing
