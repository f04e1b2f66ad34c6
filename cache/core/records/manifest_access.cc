#include "cache/core/records/manifest_access.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"

namespace fpo::cache {

absl::Status AddShare(const ManifestShare& share, std::vector<ManifestShare>* shares) {
  const auto same = std::find_if(shares->begin(), shares->end(), [&](const ManifestShare& known) {
    return known.owner == share.owner;
  });
  if (same != shares->end()) {
    *same = share;
    return absl::OkStatus();
  }
  if (shares->size() >= kSharesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the manifest has ", shares->size(), " owners, which is the maximum"));
  }
  shares->push_back(share);
  return absl::OkStatus();
}

absl::Status MayRead(const ManifestHeader& header, const Principal& reader) {
  for (const ManifestShare& share : header.shares) {
    if (Reaches(share.share, share.owner, reader)) return absl::OkStatus();
  }
  return WithErrorInfo(absl::PermissionDeniedError(absl::StrCat(
                           "manifest ", ToHex(header.id), " is not shared with ", reader.name)),
                       {.reason = ErrorReason::kNotShared,
                        .field = "manifest_id",
                        .hint = "its owners can share it with reference.share in their job files"});
}

absl::Status MayChange(const ManifestHeader& header, const Principal& caller) {
  if (caller.role == Role::kAdmin) return absl::OkStatus();
  for (const ManifestShare& share : header.shares) {
    if (share.owner == caller.name) return absl::OkStatus();
  }
  return WithErrorInfo(absl::PermissionDeniedError(absl::StrCat(
                           "manifest ", ToHex(header.id), " is not one of ", caller.name, "'s")),
                       {.reason = ErrorReason::kNotYours,
                        .field = "manifest_id",
                        .hint = "only those who registered it and admins may change it"});
}

}  // namespace fpo::cache
