#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace fpo {

// A token that is read again when its file changes, so that a program that runs for months can be
// given another one. While the file cannot be read, the last token stays. Thread-safe.
class TokenSource {
 public:
  explicit TokenSource(std::string path) : path_(std::move(path)) {}
  // Looks at the file at most once a second. "" as long as it was never readable.
  std::string Get();

 private:
  const std::string path_;
  absl::Mutex mutex_;
  absl::Time looked_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  std::string version_ ABSL_GUARDED_BY(mutex_);
  std::string token_ ABSL_GUARDED_BY(mutex_);
};

// Changes whenever the file may have other contents, another owner or another mode; "": there is
// none.
std::string FileVersion(const std::string& path);

}  // namespace fpo
