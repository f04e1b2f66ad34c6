#include "cache/core/bucket/bucket_layout.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "common/text/json.h"
#include "nlohmann/json.hpp"

namespace fpo::cache {
namespace {

constexpr int64_t kIndexVersion = 1;
constexpr size_t kStartDigits = 16;

ObjectName Below(const ObjectName& root, absl::string_view path) {
  return {.bucket = root.bucket,
          .key = root.key.empty() ? std::string(path) : absl::StrCat(root.key, "/", path)};
}

absl::Status Bad(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("the index is damaged: ", what));
}

absl::StatusOr<BucketSegment> ReadSegment(const nlohmann::json& json) {
  std::string sha256, keys;
  BucketSegment segment;
  FPO_RETURN_IF_ERROR(ReadMember(json, "sha256", &sha256));
  FPO_RETURN_IF_ERROR(ReadMember(json, "bytes", &segment.bytes));
  FPO_RETURN_IF_ERROR(ReadMember(json, "keys", &keys));
  FPO_ASSIGN_OR_RETURN(segment.sha256, DigestFromHex(sha256));
  if (segment.bytes <= 0 || segment.bytes > kSegmentBytesMax) return Bad("a segment's length");
  if (keys.empty() || keys.size() % kStartDigits != 0) return Bad("a segment's keys");
  segment.keys.reserve(keys.size() / kStartDigits);
  for (size_t at = 0; at < keys.size(); at += kStartDigits) {
    uint64_t start = 0;
    if (!absl::SimpleHexAtoi(absl::string_view(keys).substr(at, kStartDigits), &start)) {
      return Bad("a segment's keys");
    }
    segment.keys.push_back(start);
  }
  return segment;
}

absl::StatusOr<BucketIndex> ReadIndex(absl::string_view text) {
  FPO_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  int64_t version = 0;
  BucketIndex index;
  FPO_RETURN_IF_ERROR(ReadMember(json, "version", &version));
  if (version != kIndexVersion) {
    return Bad(absl::StrCat("its version is ", version, ", and this program reads 1"));
  }
  FPO_RETURN_IF_ERROR(ReadMember(json, "recipe", &index.recipe));
  const nlohmann::json* const segments = FindMember(json, "segments");
  if (segments == nullptr || !segments->is_array()) return Bad("it has no segments");
  for (const nlohmann::json& each : *segments) {
    FPO_ASSIGN_OR_RETURN(BucketSegment segment, ReadSegment(each));
    index.segments.push_back(std::move(segment));
  }
  return index;
}

}  // namespace

uint64_t KeyStart(const Digest& key) {
  uint64_t start = 0;
  for (size_t i = 0; i < sizeof(start); ++i) start = start << 8 | key[i];
  return start;
}

ObjectName SegmentName(const ObjectName& root, const Digest& sha256) {
  return Below(root, absl::StrCat("segments/", ToHex(sha256), ".fpr"));
}

ObjectName SitesPrefix(const ObjectName& root) { return Below(root, "sites/"); }

ObjectName SitePrefix(const ObjectName& root, absl::string_view site) {
  return Below(root, absl::StrCat("sites/", site, "/"));
}

ObjectName NameOf(const ObjectName& root, const IndexName& index) {
  return Below(root, absl::StrCat("sites/", index.site, "/", ToHex(index.recipe_id), "/",
                                  ToHex(index.manifest_id), ".json"));
}

absl::StatusOr<IndexName> ParseIndexKey(const ObjectName& root, absl::string_view key) {
  const absl::Status foreign =
      absl::DataLossError(absl::StrCat(key, " is not the name of an index"));
  if (!absl::ConsumePrefix(&key, SitesPrefix(root).key)) return foreign;
  if (!absl::ConsumeSuffix(&key, ".json")) return foreign;
  const std::vector<std::string> parts = absl::StrSplit(key, '/');
  if (parts.size() != 3) return foreign;
  const absl::StatusOr<Digest> recipe = DigestFromHex(parts[1]);
  const absl::StatusOr<Digest> manifest = DigestFromHex(parts[2]);
  if (!recipe.ok() || !manifest.ok()) return foreign;
  return IndexName{.site = parts[0], .recipe_id = *recipe, .manifest_id = *manifest};
}

std::string EncodeIndex(const BucketIndex& index) {
  std::vector<std::string> segments;
  for (const BucketSegment& segment : index.segments) {
    std::string keys;
    keys.reserve(segment.keys.size() * kStartDigits);
    for (const uint64_t start : segment.keys) {
      absl::StrAppend(&keys, absl::Hex(start, absl::kZeroPad16));
    }
    JsonObject object;
    object.Add("sha256", ToHex(segment.sha256));
    object.Add("bytes", segment.bytes);
    object.Add("keys", keys);
    segments.push_back(object.Text());
  }
  JsonObject object;
  object.Add("version", kIndexVersion);
  object.Add("recipe", index.recipe);
  object.AddRaw("segments", JsonArray(segments));
  return object.Text();
}

absl::StatusOr<BucketIndex> DecodeIndex(absl::string_view json) {
  absl::StatusOr<BucketIndex> index = ReadIndex(json);
  if (index.ok() || absl::IsDataLoss(index.status())) return index;
  return Bad(index.status().message());
}

}  // namespace fpo::cache
