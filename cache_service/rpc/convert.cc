#include "cache_service/rpc/convert.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "cache_service/store/cache_errors.h"
#include "cache_service/store/key_layout.h"
#include "common/error_info.h"
#include "common/reference/record_file.h"

namespace fpo::cache {
namespace {

namespace pb = fpo::v1;

constexpr size_t kPackedResponseBytesMax = 3 << 20;  // the receive limit is 4 MiB

void SetTimestamp(absl::Time time, google::protobuf::Timestamp* message) {
  const absl::Duration since = time - absl::UnixEpoch();
  message->set_seconds(absl::ToUnixSeconds(time));
  message->set_nanos(
      static_cast<int32_t>((since - absl::Seconds(message->seconds())) / absl::Nanoseconds(1)));
}

}  // namespace

absl::StatusOr<Digest> ReadDigest(const std::string& bytes, const std::string& field) {
  const absl::StatusOr<Digest> digest = DigestFromBytes(bytes);
  if (digest.ok()) return digest;
  return BadRequest(field, absl::StrCat(bytes.size(), " bytes instead of 32"));
}

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
  SetTimestamp(header.created, message->mutable_created());
  SetTimestamp(header.used, message->mutable_used());
}

pb::PutManifestResponse ToPutResponse(const ManifestStatus& manifest) {
  pb::PutManifestResponse message;
  message.set_manifest_id(ToBytes(manifest.header.id));
  message.set_recipe_id(ToBytes(manifest.header.recipe_id));
  message.set_total(manifest.header.total);
  message.set_missing(manifest.header.total - manifest.present);
  return message;
}

pb::ClaimResponse ToProto(const ClaimGrant& grant) {
  pb::ClaimResponse message;
  message.set_claim_id(grant.claim_id);
  message.mutable_ordinals()->Add(grant.ordinals.begin(), grant.ordinals.end());
  message.set_complete(grant.complete);
  message.set_retry_after_ms(ToMilliseconds(grant.retry_after));
  message.set_lease_ms(ToMilliseconds(grant.lease));
  return message;
}

pb::WaitManifestResponse ToProto(const ManifestView& view) {
  pb::WaitManifestResponse message;
  message.set_present(view.present);
  message.set_total(view.total);
  message.set_claimable(view.claimable);
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
      return WithErrorInfo(
          absl::ResourceExhaustedError(absl::StrCat("the first ", i + 1, " of ", records.size(),
                                                    " records have ", message.packed().size(),
                                                    " bytes and fill the answer")),
          {.reason = "ANSWER_TOO_LARGE", .hint = "ask for fewer keys, or pull the manifest"});
    }
  }
  return message;
}

int32_t ToMilliseconds(absl::Duration duration) {
  const int64_t ms = absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1)));
  return static_cast<int32_t>(std::clamp<int64_t>(ms, 0, std::numeric_limits<int32_t>::max()));
}

}  // namespace fpo::cache
