#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "train/checkpoint/checkpoint_writer.h"
#include "train/events/event_sink.h"
#include "train/saving/side_write.h"

namespace fpo::train {

// Writes a run's checkpoints, beside training where memory has room for a copy of their tensors: 12
// bytes a parameter with Adam, in host memory. Announces each once it is complete, from the thread
// that calls. A run that ends while one is written keeps those before it. Not thread-safe.
class BackgroundCheckpoints {
 public:
  struct Options {
    CheckpointWriter::Options writer;
    bool background = true;  // else Write returns when the checkpoint is complete
    // Bytes that a copy may take; tests set it.
    std::optional<int64_t> memory_bytes = {};  // default: AvailableMemoryBytes, at each write
  };
  // `out`: the run's folder. Keeps a reference to `events`.
  BackgroundCheckpoints(std::string out, const Options& options, EventSink& events);
  // Its end waits for the write in progress, and says nothing of it.
  BackgroundCheckpoints(const BackgroundCheckpoints&) = delete;
  BackgroundCheckpoints& operator=(const BackgroundCheckpoints&) = delete;

  // Finishes the write before, then writes or begins to write this one; tensors may change when it
  // returns. `last`: nothing is computed after it, so it is written at once. Errors are storage
  // errors, of this write or the one before.
  absl::Status Write(const CheckpointContent& content, std::optional<double> score, bool last);
  // Announces the write in progress if it is complete, without waiting.
  absl::Status Poll();
  // Waits for the write in progress and announces it.
  absl::Status Finish();
  bool writing() const { return side_.running(); }

  double seconds() const { return seconds_; }  // that the caller has waited in all

 private:
  absl::Status WriteNow(const CheckpointContent& content, std::optional<double> score);
  std::optional<CheckpointContent> Snapshot(const CheckpointContent& content) const;
  void Announce(const std::string& folder);

  CheckpointWriter writer_;
  const Options options_;
  EventSink& events_;
  double seconds_ = 0;
  // Of the write in progress.
  int64_t step_ = 0;
  absl::Time start_;
  absl::StatusOr<std::string> result_ = std::string();
  SideWrite side_;  // writes into result_: destroyed before it
};

}  // namespace fpo::train
