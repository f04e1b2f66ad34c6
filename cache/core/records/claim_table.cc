#include "cache/core/records/claim_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr int kCounterBits = 40;

absl::Status ClaimError(uint64_t claim_id, ErrorReason reason, const std::string& why) {
  return WithErrorInfo(absl::FailedPreconditionError(absl::StrCat("claim ", claim_id, " ", why)),
                       {.reason = reason, .hint = "claim again", .ids = {absl::StrCat(claim_id)}});
}

}  // namespace

ClaimTable::ClaimTable(uint32_t boot_number, ClaimTableOptions options)
    : options_(options), boot_bits_(static_cast<uint64_t>(boot_number) << kCounterBits) {}

absl::StatusOr<uint64_t> ClaimTable::Grant(const Digest& recipe_id, absl::Span<const Digest> keys,
                                           std::string builder, absl::Time now) {
  Expire(now);
  if (claims_.size() >= options_.claims_max) {
    return WithErrorInfo(
        absl::ResourceExhaustedError(
            absl::StrCat("all ", options_.claims_max, " claims are taken")),
        {.reason = ErrorReason::kTooManyClaims, .hint = "retry when builders have finished"});
  }
  const uint64_t id = boot_bits_ | ++last_counter_;
  LiveClaim& claim = claims_[id];
  claim.recipe_id = recipe_id;
  claim.keys.insert(keys.begin(), keys.end());
  claim.builder = std::move(builder);
  claim.deadline = now + options_.lease;
  claim.progress_at = now;
  for (const Digest& key : keys) holders_[{recipe_id, key}] = id;
  ++version_;
  return id;
}

void ClaimTable::SetPurpose(uint64_t claim_id, const Digest& manifest_id, std::string request_id) {
  const auto claim = claims_.find(claim_id);
  if (claim == claims_.end()) return;
  claim->second.manifest_id = manifest_id;
  claim->second.request_id = std::move(request_id);
}

uint64_t ClaimTable::OfRequest(const std::string& request_id, const Digest& manifest_id) const {
  if (request_id.empty()) return 0;
  for (const auto& [id, claim] : claims_) {
    if (claim.request_id == request_id && claim.manifest_id == manifest_id) return id;
  }
  return 0;
}

int64_t ClaimTable::HeldBy(const Digest& manifest_id) const {
  int64_t held = 0;
  for (const auto& [id, claim] : claims_) {
    if (claim.manifest_id == manifest_id) held += static_cast<int64_t>(claim.keys.size());
  }
  return held;
}

absl::Status ClaimTable::Renew(uint64_t claim_id, int64_t records_done, absl::Time now) {
  Expire(now);
  FPO_RETURN_IF_ERROR(CheckLive(claim_id));
  const auto it = claims_.find(claim_id);
  LiveClaim& claim = it->second;
  if (records_done > claim.records_done) {
    claim.records_done = records_done;
    claim.progress_at = now;
  } else if (now - claim.progress_at >= options_.idle_max) {
    End(it);
    ++expired_total_;
    return ClaimError(claim_id, ErrorReason::kStaleClaim,
                      absl::StrCat("lapsed: renewed for ", absl::FormatDuration(options_.idle_max),
                                   " and still at ", records_done, " records done"));
  }
  claim.deadline = now + options_.lease;
  return absl::OkStatus();
}

absl::Status ClaimTable::Release(uint64_t claim_id, absl::Time now) {
  Expire(now);
  FPO_RETURN_IF_ERROR(CheckLive(claim_id));
  End(claims_.find(claim_id));
  return absl::OkStatus();
}

void ClaimTable::Fulfil(const Digest& recipe_id, const Digest& key, absl::Time now) {
  Expire(now);
  const auto holder = holders_.find({recipe_id, key});
  if (holder == holders_.end()) return;
  LiveClaim& claim = claims_.at(holder->second);
  claim.keys.erase(key);
  claim.progress_at = now;
  claim.deadline = now + options_.lease;
  holders_.erase(holder);
  ++version_;
}

int64_t ClaimTable::Expire(absl::Time now) {
  int64_t ended = 0;
  for (auto it = claims_.begin(); it != claims_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    // A claim with nothing left to compute ended normally.
    if (!it->second.keys.empty()) ++ended;
    it = End(it);
  }
  expired_total_ += ended;
  return ended;
}

ClaimTable::Claims::iterator ClaimTable::End(Claims::iterator claim) {
  for (const Digest& key : claim->second.keys) holders_.erase({claim->second.recipe_id, key});
  ++version_;
  return claims_.erase(claim);
}

absl::Status ClaimTable::CheckLive(uint64_t claim_id) const {
  if (claims_.contains(claim_id)) return absl::OkStatus();
  if ((claim_id >> kCounterBits) != (boot_bits_ >> kCounterBits)) {
    return ClaimError(
        claim_id, ErrorReason::kUnknownClaim,
        "was not granted by this run of the cache, which forgets claims when it restarts");
  }
  return ClaimError(claim_id, ErrorReason::kStaleClaim,
                    "has ended: released, or not renewed in time");
}

int64_t ClaimTable::live() const {
  return std::count_if(claims_.begin(), claims_.end(),
                       [](const auto& claim) { return !claim.second.keys.empty(); });
}

bool ClaimTable::IsHeld(const Digest& recipe_id, const Digest& key) const {
  return holders_.contains({recipe_id, key});
}

bool ClaimTable::Holds(uint64_t claim_id, const Digest& recipe_id, const Digest& key) const {
  const auto holder = holders_.find({recipe_id, key});
  return holder != holders_.end() && holder->second == claim_id;
}

std::optional<absl::Time> ClaimTable::NextExpiry(const Digest& recipe_id) const {
  std::optional<absl::Time> next;
  for (const auto& [id, claim] : claims_) {
    if (claim.recipe_id != recipe_id || claim.keys.empty()) continue;
    next = next ? std::min(*next, claim.deadline) : claim.deadline;
  }
  return next;
}

void ClaimTable::ForEachHeldKey(const Digest& recipe_id,
                                const std::function<void(const Digest&)>& visit) const {
  for (const auto& [id, claim] : claims_) {
    if (claim.recipe_id != recipe_id) continue;
    for (const Digest& key : claim.keys) visit(key);
  }
}

}  // namespace fpo::cache
