#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/hash.h"

namespace fpo::cache {

struct ClaimTableOptions {
  absl::Duration lease = absl::Seconds(30);
  // A claim renewed for this long without one more record lapses. Builders detect their own hangs
  // much earlier; this is for those that do not. A first record can take minutes.
  absl::Duration idle_max = absl::Minutes(30);
  size_t claims_max = 4096;  // live at once
};

// Which builder computes which record. A claim is a right to put, not a lock on reading; it ends
// when released, when its lease runs out, or when its holder keeps renewing for long without
// progress.
// Pure: no clock, no lock; the caller provides both.
//
// Claims live in memory. An id is the boot number in its upper 24 bits and a counter below, so ids
// only grow and an id from before a restart is recognised: UNKNOWN_CLAIM, claim again. STALE_CLAIM
// means the claim was lost while the cache ran.
class ClaimTable {
 public:
  explicit ClaimTable(uint32_t boot_number, ClaimTableOptions options = {});

  // Grants `keys`, none of which is held, to a builder. ResourceExhausted: too many live claims.
  absl::StatusOr<uint64_t> Grant(const Digest& recipe_id, absl::Span<const Digest> keys,
                                 std::string builder, absl::Time now);
  // Records the manifest that a claim was made for, which it protects, and its request.
  void SetPurpose(uint64_t claim_id, const Digest& manifest_id, std::string request_id);
  // The live claim of this request; 0: none, or no id.
  uint64_t OfRequest(const std::string& request_id, const Digest& manifest_id) const;
  int64_t HeldBy(const Digest& manifest_id) const;  // keys of live claims made for it
  // Extends the lease. FailedPrecondition (UNKNOWN_CLAIM, STALE_CLAIM); ends the claim when
  // `records_done` did not grow for `idle_max`.
  absl::Status Renew(uint64_t claim_id, int64_t records_done, absl::Time now);
  absl::Status Release(uint64_t claim_id, absl::Time now);
  // Its records are stored: the key leaves the claim, which counts as progress. Does nothing
  // without a live claim.
  void Fulfil(const Digest& recipe_id, const Digest& key, absl::Time now);
  // Ends claims whose lease ran out; every call above does it first. Returns how many ended.
  int64_t Expire(absl::Time now);

  absl::Status CheckLive(uint64_t claim_id) const;  // as of the last `now`
  bool IsHeld(const Digest& recipe_id, const Digest& key) const;
  bool Holds(uint64_t claim_id, const Digest& recipe_id, const Digest& key) const;
  // When the first claim on this recipe runs out; nullopt without one.
  std::optional<absl::Time> NextExpiry(const Digest& recipe_id) const;
  void ForEachHeldKey(const Digest& recipe_id,
                      const std::function<void(const Digest& key)>& visit) const;

  int64_t live() const;  // that still have something to compute
  int64_t held_keys() const { return static_cast<int64_t>(holders_.size()); }
  int64_t expired_total() const { return expired_total_; }
  absl::Duration lease() const { return options_.lease; }
  uint64_t version() const { return version_; }  // grows whenever the set of held keys changes

 private:
  struct LiveClaim {
    Digest recipe_id{};
    Digest manifest_id{};
    absl::flat_hash_set<Digest> keys;
    std::string builder;
    std::string request_id;
    absl::Time deadline;
    int64_t records_done = 0;
    absl::Time progress_at;
  };
  using Claims = std::map<uint64_t, LiveClaim>;

  Claims::iterator End(Claims::iterator claim);

  const ClaimTableOptions options_;
  const uint64_t boot_bits_;
  uint64_t last_counter_ = 0;
  Claims claims_;
  absl::flat_hash_map<std::pair<Digest, Digest>, uint64_t> holders_;  // (recipe, key) -> claim
  int64_t expired_total_ = 0;
  uint64_t version_ = 0;
};

}  // namespace fpo::cache
