#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/hash.h"
#include "common/object_store/object_url.h"

// What the caches of several sites keep in one bucket, below one prefix:
//   segments/SHA256.fpr               a record file (common/reference/record_file.h) of that digest
//   sites/SITE/RECIPE/MANIFEST.json   written by that site alone, after its segments
namespace fpo::cache {

inline constexpr int64_t kSegmentBytes = 32 << 20;     // a writer begins another one beyond it
inline constexpr int64_t kSegmentBytesMax = 64 << 20;  // a reader refuses larger ones
inline constexpr int64_t kIndexBytesMax = 64 << 20;
inline constexpr size_t kIndexesMax = 100'000;  // in one bucket

struct BucketSegment {
  Digest sha256{};
  int64_t bytes = 0;
  // The first eight bytes of each record's key: which segments are worth a transfer. What a segment
  // really contains it says itself.
  std::vector<uint64_t> keys = {};

  bool operator==(const BucketSegment&) const = default;
};

// The segments that together hold a manifest's records.
struct BucketIndex {
  std::string recipe;  // canonical
  std::vector<BucketSegment> segments;

  bool operator==(const BucketIndex&) const = default;
};

// Of an index object, read off its name.
struct IndexName {
  std::string site;
  Digest recipe_id{};
  Digest manifest_id{};
};

uint64_t KeyStart(const Digest& key);

// `root`: the prefix of all caches, without a "/" at its end; may be empty.
ObjectName SegmentName(const ObjectName& root, const Digest& sha256);
ObjectName SitesPrefix(const ObjectName& root);
ObjectName SitePrefix(const ObjectName& root, absl::string_view site);
ObjectName NameOf(const ObjectName& root, const IndexName& index);
absl::StatusOr<IndexName> ParseIndexKey(const ObjectName& root, absl::string_view key);  // DataLoss

std::string EncodeIndex(const BucketIndex& index);
absl::StatusOr<BucketIndex> DecodeIndex(absl::string_view json);  // DataLoss

}  // namespace fpo::cache
