#include "common/files/lfs_pointer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fpo {

absl::Status CheckIsNoLfsPointer(absl::string_view bytes, const std::string& path) {
  if (!absl::StartsWith(bytes, "version https://git-lfs.github.com/spec/")) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat(path,
                   " is a Git LFS pointer and not the file itself; run `git lfs pull` in its "
                   "folder"));
}

}  // namespace fpo
