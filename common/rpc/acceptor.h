#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/files/file_descriptor.h"

namespace fpo {

// Listens and accepts for a gRPC server. gRPC's own listener stops for good at the first "too many
// open files", limits no connections, and says nothing; this one limits them and tries again.
// Thread-safe.
class Acceptor {
 public:
  struct Options {
    std::string listen;  // "host:port", port 0 picks one
    int connections_max = 1024;
    int peer_connections_max = 1024;  // of one remote address; those of loopback are not counted
  };
  struct Numbers {
    int64_t open = 0;
    int64_t refused = 0;   // over a limit, since the start
    int64_t failures = 0;  // of accept, since the start
  };

  // Binds every address of the host. Unavailable: taken, or not one of this machine's.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Listen(Options options);
  ~Acceptor();  // Stop

  int port() const { return port_; }
  // From now on `take` gets each connection (non-blocking) and owns it, on the acceptor's thread.
  void Start(std::function<void(FileDescriptor connection)> take);
  void Stop();  // closes the listeners; connections stay

  // Unavailable while connections cannot be accepted, with the limit that stands against it.
  absl::Status Health() const;
  Numbers numbers();

 private:
  // A connection that was passed on: open while its descriptor is still the same socket.
  struct Passed {
    int fd;
    ino_t socket;
    std::string peer;
  };

  explicit Acceptor(Options options) : options_(std::move(options)) {}
  void Loop();
  bool Accept(int listener);  // false: out of descriptors
  void NoteFailure(int error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Admit(int fd, const std::string& peer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsFull(const std::string& peer) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetClosed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  int port_ = 0;
  std::vector<FileDescriptor> listeners_;
  FileDescriptor wake_;  // eventfd
  std::function<void(FileDescriptor)> take_;
  std::thread thread_;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Passed> passed_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> by_peer_ ABSL_GUARDED_BY(mutex_);
  absl::Time looked_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // for closed ones
  absl::Time next_word_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);  // of the last accept
  Numbers numbers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo
