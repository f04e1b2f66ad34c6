#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/files/file_descriptor.h"

namespace fpo::worker {

struct SpawnRequest {
  std::vector<std::string> argv;         // argv[0]: path of the program
  std::vector<std::string> environment;  // "NAME=value", all of it
  std::string folder;                    // working directory
  std::string cgroup_procs;              // of the cgroup that it joins; empty: none
};

// A child in its own session and process group (both have its pid) with our ends of its pipes, all
// non-blocking.
struct SpawnedProcess {
  pid_t pid = -1;
  FileDescriptor pidfd;     // readable once it has ended
  FileDescriptor output;    // its stdout
  FileDescriptor error;     // its stderr
  FileDescriptor events;    // its descriptor 3
  FileDescriptor commands;  // its descriptor 4; a socket, so that writing never raises SIGPIPE
};

// Forks all ranks from one thread. The kernel sends a child its parent-death signal when the
// *thread* that forked it ends, so that thread lives as long as this object: if the agent dies in
// any way, its ranks die with it. Thread-safe.
class Spawner {
 public:
  Spawner();
  virtual ~Spawner();  // ends the thread: children that still run get SIGKILL

  // Blocks until the child runs the program. FailedPrecondition when it cannot be executed,
  // Unavailable or ResourceExhausted when the system refuses: always this host's fault.
  virtual absl::StatusOr<SpawnedProcess> Spawn(const SpawnRequest& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fpo::worker
