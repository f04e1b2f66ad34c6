#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/values/digest.h"

// The right to compute records of a manifest.
namespace fpo {

struct ClaimRequest {
  Digest manifest_id{};
  int32_t limit = 1;
  std::string builder = {};     // who computes, for people
  std::string request_id = {};  // the same again gets the same claim while it lives

  bool operator==(const ClaimRequest&) const = default;
};

struct RecordClaim {
  uint64_t claim_id = 0;  // 0: nothing to claim
  std::vector<int64_t> ordinals = {};
  bool complete = false;            // every record is stored
  absl::Duration retry_after = {};  // until then all missing ones are claimed by others
  absl::Duration lease = {};

  bool operator==(const RecordClaim&) const = default;
};

}  // namespace fpo
