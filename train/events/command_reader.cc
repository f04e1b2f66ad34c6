#include "train/events/command_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "common/status_macros.h"
#include "train/events/stop_signal.h"

namespace fpo::train {

absl::StatusOr<std::optional<TrainCommand>> CommandReader::TakeLine() {
  const size_t end = buffer_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  const std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  FPO_ASSIGN_OR_RETURN(TrainCommand command, ParseCommand(line));
  return std::optional<TrainCommand>(std::move(command));
}

bool CommandReader::Fill() {
  char bytes[65536];
  const ssize_t n = read(descriptor_, bytes, sizeof(bytes));
  if (n > 0) buffer_.append(bytes, static_cast<size_t>(n));
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  ended_ = n <= 0;
  return n > 0;
}

absl::StatusOr<std::optional<TrainCommand>> CommandReader::Next() {
  while (true) {
    FPO_ASSIGN_OR_RETURN(std::optional<TrainCommand> command, TakeLine());
    if (command.has_value() || ended_ || StopRequested()) return command;
    pollfd item{descriptor_, POLLIN, 0};
    // The wait is bounded because a signal may arrive between the check above and poll.
    if (poll(&item, 1, 500) > 0) Fill();
  }
}

absl::StatusOr<std::optional<TrainCommand>> CommandReader::Poll() {
  pollfd item{descriptor_, POLLIN, 0};
  while (!ended_ && poll(&item, 1, 0) > 0) {
    if ((item.revents & (POLLNVAL | POLLERR)) != 0 || !Fill()) break;
  }
  return TakeLine();
}

}  // namespace fpo::train
