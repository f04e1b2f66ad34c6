#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/files/file_descriptor.h"

namespace fpo::train {

// A child process that answers each line on its standard input with one on its standard output. It
// gets no other descriptor of this process, and of the environment only PATH and a UTF-8 locale. It
// is killed when the object goes. Not thread-safe.
class LineProcess {
 public:
  // Looks up argv[0] in PATH. NotFound when there is no such program.
  static absl::StatusOr<LineProcess> Start(const std::vector<std::string>& argv);
  LineProcess(LineProcess&& other) noexcept;
  LineProcess& operator=(LineProcess&& other) noexcept;
  ~LineProcess();

  // Sends `line` and returns the response, both without line feed. DeadlineExceeded after
  // `timeout`, Unavailable when the process has ended, ResourceExhausted when the response is
  // longer than `bytes_max`; the process is of no use after any of them.
  absl::StatusOr<std::string> Exchange(absl::string_view line, absl::Duration timeout,
                                       size_t bytes_max);

 private:
  LineProcess(FileDescriptor socket, pid_t pid);
  absl::Status Wait(short events, absl::Time deadline) const;
  absl::Status Send(absl::string_view bytes, absl::Time deadline) const;

  FileDescriptor socket_;
  pid_t pid_ = -1;
};

}  // namespace fpo::train
