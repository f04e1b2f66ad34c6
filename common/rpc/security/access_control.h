#pragma once

#include <grpcpp/server_context.h>

#include <ctime>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/access_list.h"

namespace fpo {

// Identifies callers. Without a file every caller is an admin without a name: a service on loopback
// needs no list. The file is reread when it changes, so a removed entry loses access within a
// second; a broken or unreadable one is logged and tried again each second, and the last good one
// stays in force. Thread-safe.
class AccessControl {
 public:
  // An empty path: no list. InvalidArgument: the file is malformed, with the place.
  static absl::StatusOr<std::unique_ptr<AccessControl>> Open(const std::string& path);

  bool has_list() const { return !path_.empty(); }

  // The file as it was last looked at, at most a second ago: why the last good list is in force.
  absl::Status Check() const;
  // From here on every call is refused with this, whoever makes it.
  void Close(const absl::Status& why);

  // The caller, by "authorization: Bearer TOKEN", or by its certificate. Unauthenticated;
  // PermissionDenied (ROLE, its name as the id) when its role is below `least`.
  absl::StatusOr<Principal> Admit(const grpc::ServerContextBase& call, Role least) const;

 private:
  explicit AccessControl(std::string path) : path_(std::move(path)) {}
  absl::Status Load() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Refresh() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  mutable absl::Mutex mutex_;
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);
  mutable AccessList list_ ABSL_GUARDED_BY(mutex_);
  mutable absl::Time looked_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  mutable std::string version_ ABSL_GUARDED_BY(mutex_);  // FileVersion of what was read
  mutable absl::Status problem_ ABSL_GUARDED_BY(mutex_);
};

// PermissionDenied (NOT_YOURS), naming both.
absl::Status NotYours(const Principal& caller, absl::string_view what, absl::string_view owner);

}  // namespace fpo
