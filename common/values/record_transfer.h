#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/values/compute_cost.h"
#include "common/values/digest.h"

// Records on their way to the reference cache and from it, packed as
// common/reference/packed_record.h says.
namespace fpo {

// One frame of an upload. A view: `packed` outlives it.
struct PutBatch {
  uint64_t claim_id = 0;
  absl::string_view packed = {};
  ComputeCost cost = {};

  bool operator==(const PutBatch&) const = default;
};

// What became of uploaded records. `conflict`: another value was there first and stays.
struct PutCounts {
  int64_t stored = 0;
  int64_t present = 0;  // already, with the same bytes
  int64_t conflict = 0;

  PutCounts& operator+=(const PutCounts& more) {
    stored += more.stored;
    present += more.present;
    conflict += more.conflict;
    return *this;
  }
  bool operator==(const PutCounts&) const = default;
};

struct PullRequest {
  Digest manifest_id{};
  int64_t from_ordinal = 0;
  std::vector<int64_t> ordinals = {};  // only these, ascending; none: all

  bool operator==(const PullRequest&) const = default;
};

// Records of a manifest in order. The last frame carries a digest over all records since the start
// of the call (SequenceDigest).
struct RecordFrame {
  int64_t first_ordinal = 0;
  int64_t count = 0;
  std::string packed = {};
  std::optional<Digest> sha256_of_digests = {};

  bool operator==(const RecordFrame&) const = default;
};

}  // namespace fpo
