#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cache/core/records/cache_types.h"
#include "common/access_list.h"
#include "common/wire/cache_wire.h"
#include "proto/fpo/v1/cache.pb.h"

namespace fpo::cache {

// Messages of what is the cache's alone; what it shares with its callers is in common/wire.

using fpo::ToProto;

// InvalidArgument with the field "keys".
absl::StatusOr<std::vector<Digest>> ReadKeys(const std::string& bytes);

void ToProto(const ManifestStatus& manifest, fpo::v1::Manifest* message);
fpo::v1::StatsResponse ToProto(const CacheTotals& totals, const CacheCounters& counters);

// Packs what was found; the positions of the rest are listed as missing. ResourceExhausted when
// the records do not fit into one message.
absl::StatusOr<fpo::v1::GetRecordsResponse> ToProto(
    absl::Span<const std::optional<PackedRecord>> records);

fpo::v1::GcResponse ToProto(const GcReport& report);
fpo::v1::QuarantinedRecord ToProto(const QuarantinedRecord& record);
// All owners for admins; others get only their own line.
void AddOwners(const std::vector<OwnerUse>& owners, const Principal& reader,
               fpo::v1::StatsResponse* message);
fpo::v1::RecipeInfo ToProto(const RecipeSummary& recipe);
void AddRules(const KeepRules& rules, fpo::v1::StatsResponse* message);

}  // namespace fpo::cache
