#include "cache/core/records/cache_errors.h"

#include "absl/strings/str_cat.h"
#include "common/error_info.h"

namespace fpo::cache {

absl::Status BadRequest(const std::string& field, const std::string& why) {
  return WithErrorInfo(absl::InvalidArgumentError(absl::StrCat(field, ": ", why)),
                       {.reason = ErrorReason::kInvalidRequest, .field = field});
}

absl::Status NoManifest(const Digest& id) {
  return WithErrorInfo(absl::NotFoundError(absl::StrCat("no manifest ", ToHex(id))),
                       {.reason = ErrorReason::kManifestNotFound,
                        .hint = "register the manifest first, or list the existing ones",
                        .ids = {ToHex(id)}});
}

absl::Status Incomplete(const Digest& id, int64_t missing, int64_t total) {
  return WithErrorInfo(absl::FailedPreconditionError(
                           absl::StrCat("manifest ", ToHex(id), " is not complete: ", missing,
                                        " of ", total, " records are missing")),
                       {.reason = ErrorReason::kManifestIncomplete,
                        .hint = "claim and compute them, or wait for other builders",
                        .ids = {ToHex(id)}});
}

absl::Status ForeignKey(const Digest& key, const Digest& manifest_id) {
  return WithErrorInfo(
      absl::InvalidArgumentError(
          absl::StrCat("key ", ToHex(key), " is not in manifest ", ToHex(manifest_id))),
      {.reason = ErrorReason::kKeyNotInManifest, .ids = {ToHex(key), ToHex(manifest_id)}});
}

absl::Status NotHeld(uint64_t claim_id, const Digest& key) {
  return WithErrorInfo(
      absl::FailedPreconditionError(absl::StrCat("claim ", claim_id, " does not hold ", ToHex(key),
                                                 ", and other bytes or none are stored")),
      {.reason = ErrorReason::kStaleClaim,
       .hint = "claim again",
       .ids = {absl::StrCat(claim_id), ToHex(key)}});
}

absl::Status CacheFull(int64_t stored, int64_t limit) {
  return WithErrorInfo(
      absl::ResourceExhaustedError(absl::StrCat("the cache holds ", stored,
                                                " bytes of records and rejects new ones above ",
                                                limit, " (--reject-mib)")),
      {.reason = ErrorReason::kCacheFull,
       .hint = "unpin or remove manifests (fpoctl cache gc), or raise the limit"});
}

absl::Status DiskFull(absl::Status status) {
  if (!absl::IsResourceExhausted(status) || ReasonOf(status) != ErrorReason::kUnspecified) {
    return status;
  }
  return WithErrorInfo(std::move(status),
                       {.reason = ErrorReason::kStoreFull,
                        .hint = "free space on the cache's machine; writes come back by "
                                "themselves"});
}

absl::Status BadRecord(const Digest& key, size_t count) {
  return WithErrorInfo(
      absl::DataLossError(absl::StrCat("the stored record ", ToHex(key), " is damaged",
                                       count > 1 ? absl::StrCat(", and ", count - 1, " more") : "",
                                       ": quarantined")),
      {.reason = ErrorReason::kRecordDamaged,
       .hint = "register the manifest again: what is missing is computed again",
       .ids = {ToHex(key)}});
}

}  // namespace fpo::cache
