#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/train_protocol.h"

namespace fpo::train {

// Reads the agent's commands, JSON lines on a file descriptor. Not thread-safe.
class CommandReader {
 public:
  explicit CommandReader(int descriptor = 4) : descriptor_(descriptor) {}

  // Waits for the next command; nullopt at the end of the stream or when a signal asked to stop.
  // InvalidArgument shows a line that is not a command.
  absl::StatusOr<std::optional<TrainCommand>> Next();

  // A command that has already arrived; does not wait.
  absl::StatusOr<std::optional<TrainCommand>> Poll();

 private:
  absl::StatusOr<std::optional<TrainCommand>> TakeLine();
  bool Fill();  // false: end of stream
  int descriptor_;
  bool ended_ = false;
  std::string buffer_;
};

}  // namespace fpo::train
