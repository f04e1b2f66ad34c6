#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cache_service/store/store.h"
#include "common/hash.h"

namespace fpo::cache {

// Keys and values of the store's four families. Numbers in keys are big-endian, so that they sort;
// in values little-endian.
//
//   meta       "boot"             -> boot number u32
//              "manifest/" id     -> header
//              "recipe/" id       -> canonical recipe
//   manifests  id, chunk u32      -> up to 4,096 keys, one after the other
//   index      recipe id, key     -> state u8, size u32, digest, created i64 ns
//   data       recipe id, key     -> version u8, record bytes, SHA-256 of them
inline constexpr int64_t kKeysPerChunk = 4096;

std::string BootKey();
std::string ManifestKey(const Digest& id);
std::string ManifestPrefix();
std::string RecipeKey(const Digest& id);
std::string RecipePrefix();
std::string ChunkKey(const Digest& manifest_id, uint32_t chunk);
std::string RecordPath(const Digest& recipe_id, const Digest& key);  // in index and data

std::string EncodeBoot(uint32_t boot);
absl::StatusOr<uint32_t> DecodeBoot(absl::string_view value);

std::string EncodeManifest(const ManifestHeader& header);
absl::StatusOr<ManifestHeader> DecodeManifest(absl::string_view value);  // DataLoss

std::string EncodeKeys(absl::Span<const Digest> keys);
absl::StatusOr<std::vector<Digest>> DecodeKeys(
    absl::string_view bytes);  // DataLoss unless 32 n bytes

std::string EncodeIndexEntry(const IndexEntry& entry);
absl::StatusOr<IndexEntry> DecodeIndexEntry(absl::string_view value);  // DataLoss

std::string EncodeData(const PackedRecord& record);
// DataLoss when the version is unknown or the bytes do not match their digest.
absl::StatusOr<PackedRecord> DecodeData(const Digest& key, absl::string_view value);

}  // namespace fpo::cache
