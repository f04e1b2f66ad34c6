#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "train/formats/safetensors_writer.h"

namespace fpo::train {

// Writes on a thread of its own beside training, one thing at a time. Not thread-safe.
class SideWrite {
 public:
  SideWrite() = default;
  ~SideWrite();  // waits for the write in progress
  SideWrite(const SideWrite&) = delete;
  SideWrite& operator=(const SideWrite&) = delete;

  // None may be in progress. Torch's exceptions of `write` become statuses.
  void Start(std::function<absl::Status()> write);
  bool running() const { return thread_.joinable(); }  // until Wait
  bool done() const { return running() && done_->HasBeenNotified(); }
  // Waits for it and returns what it returned. `what` names the wait in the run's progress.
  absl::Status Wait(const std::string& what);

 private:
  std::thread thread_;
  std::unique_ptr<absl::Notification> done_;
  std::atomic<int64_t> work_ = 0;  // grows while it writes
  absl::Status result_;            // the thread's until it has notified
};

// Copies in host memory that a side write can read while training changes the originals.
at::Tensor HostCopy(const at::Tensor& tensor);

}  // namespace fpo::train
