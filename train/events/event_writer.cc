#include "train/events/event_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/clock.h"
#include "common/clock.h"

namespace fpo::train {

EventWriter::EventWriter(Options options) : options_(options) {
  const int flags = fcntl(options_.descriptor, F_GETFL);
  if (flags < 0) {
    closed_ = true;
    return;
  }
  fcntl(options_.descriptor, F_SETFL, flags | O_NONBLOCK);
  fcntl(options_.descriptor, F_SETFD, FD_CLOEXEC);
}

void EventWriter::Emit(TrainEvent event) {
  event.seq = ++seq_;
  event.time = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  if (dropped_ > 0) event.metrics["dropped_events"] = static_cast<double>(dropped_);
  const bool may_drop = event.kind == EventKind::kStep || event.kind == EventKind::kProgress;
  if (Write(EncodeEvent(event) + "\n", may_drop)) {
    dropped_ = 0;
  } else {
    ++dropped_;
  }
}

bool EventWriter::WaitWritable(absl::Time deadline) const {
  const int64_t milliseconds = absl::ToInt64Milliseconds(deadline - BootNow());
  pollfd item{options_.descriptor, POLLOUT, 0};
  const int ready = poll(&item, 1, static_cast<int>(std::max<int64_t>(milliseconds, 0)));
  return ready > 0 || (ready < 0 && errno == EINTR && BootNow() < deadline);
}

// Completes a line that has begun: a torn one would corrupt the next.
bool EventWriter::Write(absl::string_view line, bool may_drop) {
  const absl::Time deadline = BootNow() + options_.patience;
  size_t sent = 0;
  while (sent < line.size() && !closed_) {
    const ssize_t n = write(options_.descriptor, line.data() + sent, line.size() - sent);
    if (n > 0) {
      sent += static_cast<size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if ((may_drop && sent == 0) || !WaitWritable(deadline)) return false;
    } else if (errno != EINTR) {
      closed_ = true;  // EPIPE: the agent is gone
    }
  }
  return sent == line.size();
}

}  // namespace fpo::train
