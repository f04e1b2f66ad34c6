#include "common/outputs/publish.h"

#include <fcntl.h>
#include <stdio.h>  // renameat2
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/failpoint.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

namespace fs = std::filesystem;

// What is published where is a property of the process, like its working directory: every writer
// below asks, so that none can forget.
struct Guarded {
  absl::Mutex mutex;
  std::optional<PublishGuard> guard ABSL_GUARDED_BY(mutex);
};

Guarded& Shared() {
  static Guarded* const shared = new Guarded;
  return *shared;
}

std::string Whole(const std::string& path) {
  std::error_code error;
  std::string whole = fs::absolute(path, error).lexically_normal().string();
  while (whole.size() > 1 && whole.back() == '/') whole.pop_back();
  return whole;
}

bool IsBelow(const std::string& path, const std::string& folder) {
  const std::string whole = Whole(path);
  return whole == folder || absl::StartsWith(whole, folder == "/" ? folder : folder + "/");
}

std::string Tag() {
  Guarded& shared = Shared();
  absl::MutexLock lock(&shared.mutex);
  return shared.guard.has_value() ? shared.guard->tag : absl::StrCat("p", getpid());
}

bool CannotExchange(int error_number) {
  return error_number == EINVAL || error_number == ENOSYS || error_number == ENOTSUP;
}

absl::Status Exchange(const std::string& building, const std::string& target) {
  if (renameat2(AT_FDCWD, building.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    return absl::OkStatus();
  }
  if (!CannotExchange(errno)) return PosixError(errno, "rename", building);
  const std::string old = DoomedPath(target);
  std::error_code error;
  fs::remove_all(old, error);
  if (rename(target.c_str(), old.c_str()) != 0) return PosixError(errno, "rename", target);
  if (rename(building.c_str(), target.c_str()) != 0) return PosixError(errno, "rename", building);
  if (rename(old.c_str(), building.c_str()) != 0) return PosixError(errno, "rename", old);
  return absl::OkStatus();
}

}  // namespace

void SetPublishGuard(PublishGuard guard) {
  guard.folder = Whole(guard.folder);
  Guarded& shared = Shared();
  absl::MutexLock lock(&shared.mutex);
  shared.guard = std::move(guard);
}

void ClearPublishGuard() {
  Guarded& shared = Shared();
  absl::MutexLock lock(&shared.mutex);
  shared.guard.reset();
}

bool IsGuarded(const std::string& path) {
  Guarded& shared = Shared();
  absl::MutexLock lock(&shared.mutex);
  return shared.guard.has_value() && IsBelow(path, shared.guard->folder);
}

absl::Status MayPublish(const std::string& path) {
  Guarded& shared = Shared();
  absl::MutexLock lock(&shared.mutex);
  if (!shared.guard.has_value() || !IsBelow(path, shared.guard->folder)) return absl::OkStatus();
  FPO_RETURN_IF_ERROR(shared.guard->check());
  FPO_FAILPOINT("publish.checked");
  return absl::OkStatus();
}

std::string BuildingPath(absl::string_view target) { return absl::StrCat(target, ".tmp-", Tag()); }
std::string DoomedPath(absl::string_view target) { return absl::StrCat(target, ".old-", Tag()); }

absl::Status PublishFolder(const std::string& building, const std::string& target) {
  FPO_RETURN_IF_ERROR(MayPublish(target));
  std::error_code error;
  if (!fs::exists(target, error)) {
    if (rename(building.c_str(), target.c_str()) != 0) return PosixError(errno, "rename", building);
  } else {
    FPO_RETURN_IF_ERROR(Exchange(building, target));
  }
  FPO_RETURN_IF_ERROR(SyncParentFolder(target));
  fs::remove_all(building, error);
  return absl::OkStatus();
}

}  // namespace fpo
