#include "cache/rpc/convert.h"

#include "absl/strings/str_cat.h"
#include "cache/core/records/cache_errors.h"
#include "cache/core/store/key_layout.h"
#include "common/error_info.h"
#include "common/reference/packed_record.h"
#include "common/wire/wire_time.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;

constexpr size_t kPackedResponseBytesMax = 3 << 20;  // the receive limit is 4 MiB

}  // namespace

absl::StatusOr<std::vector<Digest>> ReadKeys(const std::string& bytes) {
  absl::StatusOr<std::vector<Digest>> keys = DecodeKeys(bytes);
  if (keys.ok()) return keys;
  return BadRequest("keys", std::string(keys.status().message()));
}

void ToProto(const ManifestStatus& manifest, pb::Manifest* message) {
  const ManifestHeader& header = manifest.header;
  message->set_manifest_id(ToBytes(header.id));
  message->set_recipe_id(ToBytes(header.recipe_id));
  message->set_recipe(header.recipe);
  message->set_total(header.total);
  message->set_present(manifest.present);
  message->set_bytes(manifest.bytes);
  message->set_owner(header.owner);
  message->set_name(header.name);
  SetExactTime(header.created, message->mutable_created());
  SetExactTime(header.used, message->mutable_used());
  message->set_pinned(header.pinned_until > absl::Now());
  if (message->pinned() && header.pinned_until != absl::InfiniteFuture()) {
    SetExactTime(header.pinned_until, message->mutable_pinned_until());
  }
  if (header.retained_until > absl::Now()) {
    SetExactTime(header.retained_until, message->mutable_retained_until());
  }
  for (const ManifestShare& share : header.shares) {
    pb::ManifestShare& shown = *message->add_shares();
    shown.set_owner(share.owner);
    shown.set_share(share.share);
  }
}

pb::RecipeInfo ToProto(const RecipeSummary& recipe) {
  pb::RecipeInfo message;
  message.set_recipe_id(ToBytes(recipe.id));
  message.set_recipe(recipe.recipe);
  message.set_manifests(recipe.manifests);
  message.set_seconds_per_record(recipe.per_record.seconds);
  message.set_flops_per_record(recipe.per_record.flops);
  return message;
}

pb::StatsResponse ToProto(const CacheTotals& totals, const CacheCounters& counters) {
  pb::StatsResponse message;
  message.set_recipes(totals.store.recipes);
  message.set_manifests(totals.store.manifests);
  message.set_records(totals.store.records);
  message.set_bytes(totals.store.bytes);
  message.set_disk_bytes(totals.store.disk_bytes);
  message.set_claims(totals.claims);
  message.set_hits(counters.hits);
  message.set_misses(counters.misses);
  message.set_stored(counters.stored);
  message.set_conflicts(counters.conflict);
  message.set_quarantined(totals.store.quarantined);
  message.set_corruptions(counters.corruptions + counters.scrub_corruptions +
                          counters.manifest_corruptions);
  message.set_saved_seconds(counters.saved_seconds);
  message.set_saved_flops(counters.saved_flops);
  message.set_free_bytes(totals.store.free_bytes);
  return message;
}

void AddOwners(const std::vector<OwnerUse>& owners, const Principal& reader,
               pb::StatsResponse* message) {
  for (const OwnerUse& use : owners) {
    if (reader.role != Role::kAdmin && use.owner != reader.name) continue;
    pb::OwnerUse& owner = *message->add_owners();
    owner.set_owner(use.owner);
    owner.set_manifests(use.manifests);
    owner.set_records(use.records);
    owner.set_bytes(use.bytes);
    owner.set_pinned_bytes(use.pinned_bytes);
  }
}

void AddRules(const KeepRules& rules, pb::StatsResponse* message) {
  message->set_evict_bytes(rules.evict_bytes);
  message->set_reject_bytes(rules.reject_bytes);
}

pb::GcResponse ToProto(const GcReport& report) {
  pb::GcResponse message;
  message.set_dry_run(report.dry_run);
  for (const GcDecision& decision : report.manifests) {
    pb::GcManifest& manifest = *message.add_manifests();
    manifest.set_manifest_id(ToBytes(decision.header.id));
    manifest.set_name(decision.header.name);
    manifest.set_owner(decision.header.owner);
    manifest.set_bytes(decision.bytes);
    manifest.set_remove(decision.remove);
    manifest.set_reason(decision.reason);
  }
  message.set_records_removed(report.records_removed);
  message.set_bytes_removed(report.bytes_removed);
  message.set_young_orphans(report.young_orphans);
  return message;
}

pb::QuarantinedRecord ToProto(const QuarantinedRecord& record) {
  pb::QuarantinedRecord message;
  message.set_recipe_id(ToBytes(record.position.recipe_id));
  message.set_key(ToBytes(record.position.key));
  SetExactTime(record.when, message.mutable_when());
  message.set_reason(record.reason);
  message.set_bytes(static_cast<int64_t>(record.bytes.size()));
  return message;
}

absl::StatusOr<pb::GetRecordsResponse> ToProto(
    absl::Span<const std::optional<PackedRecord>> records) {
  pb::GetRecordsResponse message;
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i]) {
      AppendPacked(*records[i], message.mutable_packed());
    } else {
      message.add_missing(static_cast<int32_t>(i));
    }
    if (message.packed().size() > kPackedResponseBytesMax) {
      return WithErrorInfo(absl::ResourceExhaustedError(absl::StrCat(
                               "the first ", i + 1, " of ", records.size(), " records have ",
                               message.packed().size(), " bytes and fill the response")),
                           {.reason = ErrorReason::kAnswerTooLarge,
                            .hint = "ask for fewer keys, or pull the manifest"});
    }
  }
  return message;
}

}  // namespace fpo::cache
