#include "cache/core/store/key_layout.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/reference/byte_reader.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr char kManifestPrefix[] = "manifest/";
constexpr char kRecipePrefix[] = "recipe/";
constexpr char kCostPrefix[] = "cost/";
constexpr uint8_t kManifestVersion = 3;
constexpr uint8_t kManifestWithoutShares = 2;  // everybody could read it
constexpr uint8_t kDataVersion = 1;
constexpr uint8_t kPresent = 0;
constexpr uint8_t kQuarantined = 1;

void AppendText(absl::string_view text, std::string* out) {
  AppendLittleEndian(static_cast<uint32_t>(text.size()), out);
  out->append(text.data(), text.size());
}

void AppendTime(absl::Time time, std::string* out) {
  AppendLittleEndian(absl::ToUnixNanos(time), out);
}

// Infinite times are stored as the ends of the range.
absl::Time TimeFrom(int64_t unix_nanos) {
  if (unix_nanos == std::numeric_limits<int64_t>::max()) return absl::InfiniteFuture();
  if (unix_nanos == std::numeric_limits<int64_t>::min()) return absl::InfinitePast();
  return absl::FromUnixNanos(unix_nanos);
}

// Takes fields off the front of a value; after the first short read everything fails.
class FieldReader {
 public:
  explicit FieldReader(absl::string_view bytes) : left_(bytes) {}

  absl::string_view Bytes(size_t count) {
    if (count > left_.size()) {
      ok_ = false;
      left_ = {};
      return {};
    }
    const absl::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  template <typename T>
  T Number() {
    T value{};
    const absl::string_view bytes = Bytes(sizeof(T));
    if (bytes.size() == sizeof(T)) std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  absl::Time ReadTime() { return TimeFrom(Number<int64_t>()); }
  std::string Text() {
    const absl::string_view text = Bytes(Number<uint32_t>());
    return std::string(text);
  }
  Digest ReadDigest() {
    Digest digest{};
    const absl::string_view bytes = Bytes(kDigestBytes);
    std::copy(bytes.begin(), bytes.end(), digest.begin());
    return digest;
  }
  // True when every read was backed by bytes and none are left.
  bool Complete() const { return ok_ && left_.empty(); }
  bool ok() const { return ok_; }
  absl::string_view Rest() { return Bytes(left_.size()); }

 private:
  absl::string_view left_;
  bool ok_ = true;
};

std::vector<ManifestShare> ReadShares(FieldReader* reader) {
  std::vector<ManifestShare> shares;
  const auto count = reader->Number<uint32_t>();
  for (uint32_t i = 0; i < count && reader->ok(); ++i) {
    ManifestShare& share = shares.emplace_back();
    share.owner = reader->Text();
    share.share = reader->Text();
  }
  return shares;
}

// The fields of a value that ends with the SHA-256 of `key` and them.
absl::StatusOr<absl::string_view> TakeChecked(absl::string_view key, absl::string_view value) {
  if (value.size() >= kDigestBytes) {
    const absl::string_view fields = value.substr(0, value.size() - kDigestBytes);
    if (ToBytes(Sha256Of(absl::StrCat(key, fields))) == value.substr(fields.size())) return fields;
  }
  return absl::DataLossError(
      absl::StrCat("a stored value of ", value.size(), " bytes does not match its SHA-256"));
}

}  // namespace

std::string BootKey() { return "boot"; }
std::string SchemaKey() { return "schema_version"; }
std::string ManifestPrefix() { return kManifestPrefix; }
std::string ManifestKey(const Digest& id) { return kManifestPrefix + ToBytes(id); }
std::string RecipePrefix() { return kRecipePrefix; }
std::string RecipeKey(const Digest& id) { return kRecipePrefix + ToBytes(id); }

std::string ChunkKey(const Digest& manifest_id, uint32_t chunk) {
  std::string key = ToBytes(manifest_id);
  for (int shift = 24; shift >= 0; shift -= 8) key.push_back(static_cast<char>(chunk >> shift));
  return key;
}

std::string RecordPath(const Digest& recipe_id, const Digest& key) {
  return ToBytes(recipe_id) + ToBytes(key);
}

absl::StatusOr<RecordPosition> ParseRecordPath(absl::string_view path) {
  FieldReader reader(path);
  RecordPosition position;
  position.recipe_id = reader.ReadDigest();
  position.key = reader.ReadDigest();
  if (reader.Complete()) return position;
  return absl::DataLossError(absl::StrCat("a record path of ", path.size(), " bytes"));
}

std::optional<RecordPosition> SkipAhead(const RecordPosition& position) {
  RecordPosition later{position.recipe_id, {}};
  if (position.key[0] < 0xff) {
    later.key[0] = static_cast<uint8_t>(position.key[0] + 1);
    return later;
  }
  for (size_t i = later.recipe_id.size(); i-- > 0;) {
    if (++later.recipe_id[i] != 0) return later;
  }
  return std::nullopt;
}

std::string CostPrefix() { return kCostPrefix; }
std::string CostKey(const Digest& recipe_id) { return kCostPrefix + ToBytes(recipe_id); }

absl::StatusOr<Digest> ParseCostKey(absl::string_view key) {
  key.remove_prefix(std::min(key.size(), std::strlen(kCostPrefix)));
  absl::StatusOr<Digest> recipe_id = DigestFromBytes(key);
  if (recipe_id.ok()) return recipe_id;
  return absl::DataLossError(absl::StrCat("a cost key of ", key.size(), " bytes"));
}

std::string EncodeBoot(uint32_t boot) {
  std::string value;
  AppendLittleEndian(boot, &value);
  return value;
}

absl::StatusOr<uint32_t> DecodeBoot(absl::string_view value) {
  FieldReader reader(value);
  const auto boot = reader.Number<uint32_t>();
  if (!reader.Complete()) {
    return absl::DataLossError(
        absl::StrCat("the boot number has ", value.size(), " bytes instead of 4"));
  }
  return boot;
}

std::string EncodeManifest(const ManifestHeader& header) {
  std::string value(1, static_cast<char>(kManifestVersion));
  value += ToBytes(header.id) + ToBytes(header.recipe_id);
  AppendText(header.recipe, &value);
  AppendLittleEndian(header.total, &value);
  AppendText(header.owner, &value);
  AppendText(header.name, &value);
  AppendTime(header.created, &value);
  AppendTime(header.used, &value);
  AppendTime(header.pinned_until, &value);
  AppendTime(header.retained_until, &value);
  AppendLittleEndian(static_cast<uint32_t>(header.shares.size()), &value);
  for (const ManifestShare& share : header.shares) {
    AppendText(share.owner, &value);
    AppendText(share.share, &value);
  }
  return value + ToBytes(Sha256Of(value));
}

absl::StatusOr<ManifestHeader> DecodeManifest(absl::string_view value) {
  FPO_ASSIGN_OR_RETURN(const absl::string_view fields, TakeChecked("", value));
  FieldReader reader(fields);
  const auto version = reader.Number<uint8_t>();
  ManifestHeader header;
  header.id = reader.ReadDigest();
  header.recipe_id = reader.ReadDigest();
  header.recipe = reader.Text();
  header.total = reader.Number<int64_t>();
  header.owner = reader.Text();
  header.name = reader.Text();
  header.created = reader.ReadTime();
  header.used = reader.ReadTime();
  header.pinned_until = reader.ReadTime();
  header.retained_until = reader.ReadTime();
  if (version == kManifestWithoutShares) {
    header.shares = {{.owner = header.owner}};
  } else {
    header.shares = ReadShares(&reader);
  }
  const bool known = version == kManifestVersion || version == kManifestWithoutShares;
  if (!reader.Complete() || !known || header.total < 0) {
    return absl::DataLossError(absl::StrCat("a manifest header of ", value.size(),
                                            " bytes, version ", version, ", is malformed"));
  }
  return header;
}

std::string EncodeKeys(absl::Span<const Digest> keys) {
  std::string bytes;
  bytes.reserve(keys.size() * kDigestBytes);
  for (const Digest& key : keys) bytes.append(key.begin(), key.end());
  return bytes;
}

absl::StatusOr<std::vector<Digest>> DecodeKeys(absl::string_view bytes) {
  if (bytes.size() % kDigestBytes != 0) {
    return absl::DataLossError(absl::StrCat(bytes.size(), " bytes are not a list of 32-byte keys"));
  }
  FieldReader reader(bytes);
  std::vector<Digest> keys(bytes.size() / kDigestBytes);
  for (Digest& key : keys) key = reader.ReadDigest();
  return keys;
}

std::string EncodeChunk(absl::string_view chunk_key, absl::Span<const Digest> keys) {
  std::string value = EncodeKeys(keys);
  return value + ToBytes(Sha256Of(absl::StrCat(chunk_key, value)));
}

absl::StatusOr<std::vector<Digest>> DecodeChunk(absl::string_view chunk_key,
                                                absl::string_view value) {
  FPO_ASSIGN_OR_RETURN(const absl::string_view keys, TakeChecked(chunk_key, value));
  return DecodeKeys(keys);
}

std::string EncodeCost(const RecipeCost& cost) {
  std::string value;
  AppendLittleEndian(cost.records, &value);
  AppendLittleEndian(cost.seconds, &value);
  AppendLittleEndian(cost.flops, &value);
  return value;
}

absl::StatusOr<RecipeCost> DecodeCost(absl::string_view value) {
  FieldReader reader(value);
  RecipeCost cost;
  cost.records = reader.Number<int64_t>();
  cost.seconds = reader.Number<double>();
  cost.flops = reader.Number<double>();
  if (reader.Complete()) return cost;
  return absl::DataLossError(absl::StrCat("a recipe's cost of ", value.size(), " bytes"));
}

std::string EncodeQuarantined(const QuarantinedRecord& record) {
  std::string value;
  AppendTime(record.when, &value);
  AppendText(record.reason, &value);
  return value + record.bytes;
}

absl::StatusOr<QuarantinedRecord> DecodeQuarantined(absl::string_view path,
                                                    absl::string_view value) {
  FieldReader reader(value);
  QuarantinedRecord record;
  FPO_ASSIGN_OR_RETURN(record.position, ParseRecordPath(path));
  record.when = reader.ReadTime();
  record.reason = reader.Text();
  record.bytes = std::string(reader.Rest());
  if (reader.Complete()) return record;
  return absl::DataLossError(
      absl::StrCat("the evidence about record ", ToHex(record.position.key), " is malformed"));
}

std::string EncodeIndexEntry(const IndexEntry& entry) {
  std::string value(1, static_cast<char>(entry.quarantined ? kQuarantined : kPresent));
  AppendLittleEndian(entry.size, &value);
  value += ToBytes(entry.digest);
  AppendTime(entry.created, &value);
  return value;
}

absl::StatusOr<IndexEntry> DecodeIndexEntry(absl::string_view value) {
  FieldReader reader(value);
  const auto state = reader.Number<uint8_t>();
  IndexEntry entry;
  entry.quarantined = state == kQuarantined;
  entry.size = reader.Number<uint32_t>();
  entry.digest = reader.ReadDigest();
  entry.created = reader.ReadTime();
  if (!reader.Complete() || state > kQuarantined) {
    return absl::DataLossError(absl::StrCat("an index entry of ", value.size(), " bytes, state ",
                                            state, ", is malformed"));
  }
  return entry;
}

std::string EncodeData(const PackedRecord& record) {
  std::string value(1, static_cast<char>(kDataVersion));
  value += record.bytes;
  value += ToBytes(record.sha256);
  return value;
}

absl::StatusOr<PackedRecord> DecodeData(const Digest& key, absl::string_view value) {
  if (value.size() < 1 + kDigestBytes || static_cast<uint8_t>(value[0]) != kDataVersion) {
    return absl::DataLossError(absl::StrCat("the stored record ", ToHex(key), " has ", value.size(),
                                            " bytes or an unknown version"));
  }
  PackedRecord record;
  record.key = key;
  record.bytes = std::string(value.substr(1, value.size() - 1 - kDigestBytes));
  FPO_ASSIGN_OR_RETURN(record.sha256, DigestFromBytes(value.substr(value.size() - kDigestBytes)));
  if (Sha256Of(record.bytes) != record.sha256) {
    return absl::DataLossError(
        absl::StrCat("the stored record ", ToHex(key), " does not match its SHA-256"));
  }
  return record;
}

}  // namespace fpo::cache
