#include "common/store/not_copied.h"

#include "absl/strings/str_cat.h"
#include "common/error_info.h"

namespace fpo {

absl::Status NotCopied(const absl::Status& status, const std::string& folder) {
  if (!absl::IsUnavailable(status)) return status;
  return WithErrorInfo(
      absl::FailedPreconditionError(
          absl::StrCat("no copy of the store was made in ", folder, ": ", status.message())),
      {.reason = ErrorReason::kNoBackupFolder,
       .hint = absl::StrCat("can this program write to ", folder, ", and is there space?")});
}

}  // namespace fpo
