#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "worker/core/process/spawner.h"

namespace fpo::testing {

// Makes handles of processes that never end, whatever signal they get, as one does that waits in
// the kernel for a dead disk: the pid is one that no process can have.
class UnkillableSpawner final : public worker::Spawner {
 public:
  absl::Notification spawned;  // the first

  absl::StatusOr<worker::SpawnedProcess> Spawn(const worker::SpawnRequest&) override {
    worker::SpawnedProcess process;
    process.pid = 1 << 23;  // twice the kernel's highest
    process.pidfd = FileDescriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));  // never readable
    for (FileDescriptor* end :
         {&process.output, &process.error, &process.events, &process.commands}) {
      int ends[2] = {-1, -1};
      if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return absl::InternalError("pipe");
      *end = FileDescriptor(ends[0]);
      its_ends_.emplace_back(ends[1]);
    }
    if (!spawned.HasBeenNotified()) spawned.Notify();
    return process;
  }

 private:
  std::vector<FileDescriptor> its_ends_;  // stay open, as the process does
};

}  // namespace fpo::testing
