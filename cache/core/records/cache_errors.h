#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/hash.h"

namespace fpo::cache {

// The errors that callers branch on, each with its reason (ErrorInfo).
absl::Status BadRequest(const std::string& field, const std::string& why);  // INVALID_REQUEST
absl::Status NoManifest(const Digest& id);                                  // MANIFEST_NOT_FOUND
absl::Status Incomplete(const Digest& id, int64_t missing, int64_t total);  // MANIFEST_INCOMPLETE
absl::Status ForeignKey(const Digest& key, const Digest& manifest_id);      // KEY_NOT_IN_MANIFEST
absl::Status NotHeld(uint64_t claim_id, const Digest& key);                 // STALE_CLAIM

absl::Status CacheFull(int64_t stored, int64_t limit);    // CACHE_FULL
absl::Status DiskFull(absl::Status status);               // STORE_FULL; any other as it is
absl::Status BadRecord(const Digest& key, size_t count);  // RECORD_DAMAGED

}  // namespace fpo::cache
