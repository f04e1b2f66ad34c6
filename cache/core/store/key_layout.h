#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cache/core/store/stored_values.h"
#include "common/hash.h"

namespace fpo::cache {

// Keys and values of the store's five families. Numbers in keys are big-endian, so that they sort;
// in values little-endian.
//
//   meta       "boot"             -> boot number u32
//              "schema_version"   -> a decimal number; absent: 1
//              "manifest/" id     -> header
//              "recipe/" id       -> canonical recipe
//              "cost/" id         -> records i64, seconds f64, flops f64
//   manifests  id, chunk u32      -> up to 4,096 keys, one after the other, then a SHA-256
//   index      recipe id, key     -> state u8, size u32, digest, created i64 ns
//   data       recipe id, key     -> version u8, record bytes, SHA-256 of them
//   quarantine recipe id, key     -> when i64 ns, reason, bytes
//
// A header ends with the SHA-256 of all before it; that of a chunk also covers its key, so that no
// chunk passes for another.
inline constexpr int64_t kKeysPerChunk = 4096;
inline constexpr size_t kDigestBytes = 32;
inline constexpr size_t kRecordPathBytes = 2 * kDigestBytes;

std::string BootKey();
std::string SchemaKey();
std::string ManifestKey(const Digest& id);
std::string ManifestPrefix();
std::string RecipeKey(const Digest& id);
std::string RecipePrefix();
std::string ChunkKey(const Digest& manifest_id, uint32_t chunk);
std::string RecordPath(const Digest& recipe_id, const Digest& key);  // in index and data

absl::StatusOr<RecordPosition> ParseRecordPath(absl::string_view path);  // DataLoss
// A later place to continue from when the index cannot be read here: past all keys that begin with
// the same byte. nullopt: there is none.
std::optional<RecordPosition> SkipAhead(const RecordPosition& position);
std::string CostKey(const Digest& recipe_id);
std::string CostPrefix();
absl::StatusOr<Digest> ParseCostKey(absl::string_view key);  // DataLoss

std::string EncodeBoot(uint32_t boot);
absl::StatusOr<uint32_t> DecodeBoot(absl::string_view value);

std::string EncodeManifest(const ManifestHeader& header);
absl::StatusOr<ManifestHeader> DecodeManifest(absl::string_view value);  // DataLoss

std::string EncodeKeys(absl::Span<const Digest> keys);
absl::StatusOr<std::vector<Digest>> DecodeKeys(
    absl::string_view bytes);  // DataLoss unless 32 n bytes

std::string EncodeChunk(absl::string_view chunk_key, absl::Span<const Digest> keys);
absl::StatusOr<std::vector<Digest>> DecodeChunk(absl::string_view chunk_key,
                                                absl::string_view value);  // DataLoss

std::string EncodeCost(const RecipeCost& cost);
absl::StatusOr<RecipeCost> DecodeCost(absl::string_view value);  // DataLoss

std::string EncodeQuarantined(const QuarantinedRecord& record);
absl::StatusOr<QuarantinedRecord> DecodeQuarantined(absl::string_view path,
                                                    absl::string_view value);  // DataLoss

std::string EncodeIndexEntry(const IndexEntry& entry);
absl::StatusOr<IndexEntry> DecodeIndexEntry(absl::string_view value);  // DataLoss

std::string EncodeData(const PackedRecord& record);
// DataLoss when the version is unknown or the bytes do not match their digest.
absl::StatusOr<PackedRecord> DecodeData(const Digest& key, absl::string_view value);

}  // namespace fpo::cache
