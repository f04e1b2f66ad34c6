#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace fpo::worker {

// Model folders made of checkpoints on request: OUTPUT/exports/step-N of OUTPUT/checkpoints/step-N.
// They stay, for further downloads, until the
// checkpoint is written again. One is made at a time. Thread-safe.
class ExportedCheckpoints {
 public:
  // Makes `folder`, complete or not at all; may take minutes.
  using Export =
      std::function<absl::Status(const std::string& checkpoint, const std::string& folder)>;
  // `stop` makes a running export return soon.
  ExportedCheckpoints(Export make, std::function<void()> stop)
      : make_(std::move(make)), stop_(std::move(stop)) {}
  ~ExportedCheckpoints();  // stops the running one and waits for its end

  // Does not block. FailedPrecondition (EXPORTING): it is being made, or another one is; ask again.
  // The error of a failed export is given once; the next request tries again.
  absl::StatusOr<std::string> FolderOf(const std::string& checkpoint);

 private:
  void Run(const std::string& checkpoint, const std::string& folder);

  const Export make_;
  const std::function<void()> stop_;
  absl::Mutex mutex_;
  std::string running_ ABSL_GUARDED_BY(mutex_);  // a checkpoint; "": none
  std::map<std::string, absl::Status> failed_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fpo::worker
