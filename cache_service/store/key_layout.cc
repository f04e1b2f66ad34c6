#include "cache_service/store/key_layout.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace fpo::cache {
namespace {

constexpr char kManifestPrefix[] = "manifest/";
constexpr char kRecipePrefix[] = "recipe/";
constexpr uint8_t kManifestVersion = 1;
constexpr uint8_t kDataVersion = 1;
constexpr uint8_t kPresent = 0;
constexpr uint8_t kQuarantined = 1;
constexpr size_t kDigestBytes = 32;

template <typename T>
void AppendLittleEndian(T value, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    out->push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i)));
  }
}

void AppendText(absl::string_view text, std::string* out) {
  AppendLittleEndian(static_cast<uint32_t>(text.size()), out);
  out->append(text.data(), text.size());
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
    uint64_t value = 0;
    const absl::string_view bytes = Bytes(sizeof(T));
    for (size_t i = 0; i < bytes.size(); ++i) {
      value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
    }
    return static_cast<T>(value);
  }
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

 private:
  absl::string_view left_;
  bool ok_ = true;
};

}  // namespace

std::string BootKey() { return "boot"; }
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
  AppendLittleEndian(absl::ToUnixNanos(header.created), &value);
  AppendLittleEndian(absl::ToUnixNanos(header.used), &value);
  return value;
}

absl::StatusOr<ManifestHeader> DecodeManifest(absl::string_view value) {
  FieldReader reader(value);
  const auto version = reader.Number<uint8_t>();
  ManifestHeader header;
  header.id = reader.ReadDigest();
  header.recipe_id = reader.ReadDigest();
  header.recipe = reader.Text();
  header.total = reader.Number<int64_t>();
  header.owner = reader.Text();
  header.name = reader.Text();
  header.created = absl::FromUnixNanos(reader.Number<int64_t>());
  header.used = absl::FromUnixNanos(reader.Number<int64_t>());
  if (!reader.Complete() || version != kManifestVersion || header.total < 0) {
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

std::string EncodeIndexEntry(const IndexEntry& entry) {
  std::string value(1, static_cast<char>(entry.quarantined ? kQuarantined : kPresent));
  AppendLittleEndian(entry.size, &value);
  value += ToBytes(entry.digest);
  AppendLittleEndian(absl::ToUnixNanos(entry.created), &value);
  return value;
}

absl::StatusOr<IndexEntry> DecodeIndexEntry(absl::string_view value) {
  FieldReader reader(value);
  const auto state = reader.Number<uint8_t>();
  IndexEntry entry;
  entry.quarantined = state == kQuarantined;
  entry.size = reader.Number<uint32_t>();
  entry.digest = reader.ReadDigest();
  entry.created = absl::FromUnixNanos(reader.Number<int64_t>());
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
