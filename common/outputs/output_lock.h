#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_descriptor.h"

namespace fpo {

// Who writes to an output folder: an attempt of a job of the service, or a process started by hand.
struct OutputHolder {
  std::string job_id;  // empty: by hand
  int32_t attempt = 0;
  uint64_t epoch = 0;  // of the job; only grows
  std::string host = {};
  int64_t pid = 0;
  std::string since = {};  // RFC 3339
  std::string nonce = {};  // of one Take

  // "attempt 2 (epoch 5) of job j-0n3k7q2c, process 123 on host-1, since 2026-05-03T10:20:31Z"
  std::string Describe() const;
};

// What FPO_ATTEMPT says, "JOB/ATTEMPT/EPOCH", of this process on this host.
OutputHolder HolderOf(const std::string& attempt_text);

// The only writer of an output folder. OUT/.lock holds the OutputHolder as JSON, and its file is
// locked (flock) for as long as this object lives. An attempt of a higher epoch takes the folder
// from one of a lower epoch of the same job, even from a process that is stopped and still has the
// lock: it puts another file in the place of OUT/.lock and renames away what the old one was
// building. Whatever the old one then wants to publish fails: either its check (PublishGuard) sees
// the other file, or, where it was stopped after the check, the name it built under is gone.
class OutputLock {
 public:
  // Makes the folder when it is missing. Sets the process's PublishGuard. FailedPrecondition: a
  // higher epoch of the job has the folder, or a live process of another job or of none.
  static absl::StatusOr<std::unique_ptr<OutputLock>> Take(const std::string& folder,
                                                          OutputHolder holder);
  ~OutputLock();  // the file stays: it remembers the epoch
  OutputLock(const OutputLock&) = delete;
  OutputLock& operator=(const OutputLock&) = delete;

  // FailedPrecondition names the holder when the folder is another's by now.
  absl::Status Check() const;

 private:
  OutputLock(std::string folder, OutputHolder holder, FileDescriptor file)
      : folder_(std::move(folder)), holder_(std::move(holder)), file_(std::move(file)) {}

  const std::string folder_;
  const OutputHolder holder_;
  FileDescriptor file_;
};

// Who holds or held the folder last; nullopt: no one, or its lock cannot be read.
std::optional<OutputHolder> LastHolderOf(const std::string& folder);
// Whether a live process of this or, where locks reach them, another host holds it.
bool IsOutputLocked(const std::string& folder);

}  // namespace fpo
