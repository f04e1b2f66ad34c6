#include "common/reference/record_key.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/reference/byte_reader.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr size_t kKeyBytes = std::tuple_size_v<Digest>;
constexpr int64_t kKeysFileBytesMax = int64_t{4} << 30;  // 134 million keys

absl::string_view View(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void AppendIds(absl::Span<const int32_t> ids, std::string* out) {
  AppendLittleEndian(static_cast<uint32_t>(ids.size()), out);
  for (const int32_t id : ids) AppendLittleEndian(id, out);
}

// A key that appears more than once, if one does.
std::optional<Digest> FindRepeated(absl::Span<const Digest> keys) {
  std::vector<Digest> sorted(keys.begin(), keys.end());
  std::sort(sorted.begin(), sorted.end());
  const auto repeated = std::adjacent_find(sorted.begin(), sorted.end());
  if (repeated == sorted.end()) return std::nullopt;
  return *repeated;
}

}  // namespace

Digest RecordKey(absl::Span<const int32_t> prompt_ids, absl::Span<const int32_t> response_ids) {
  std::string bytes;
  bytes.reserve(sizeof(int32_t) * (2 + prompt_ids.size() + response_ids.size()));
  AppendIds(prompt_ids, &bytes);
  AppendIds(response_ids, &bytes);
  return Sha256Of(bytes);
}

Digest ManifestId(const Digest& recipe_id, absl::Span<const Digest> keys) {
  Sha256 hash;
  hash.Update(View(recipe_id));
  for (const Digest& key : keys) hash.Update(View(key));
  return hash.Finish();
}

absl::StatusOr<std::vector<Digest>> ReadKeysFile(const std::string& path) {
  FPO_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kKeysFileBytesMax));
  if (bytes.size() % kKeyBytes != 0) {
    return absl::DataLossError(absl::StrCat("keys file ", path, ": ", bytes.size(),
                                            " bytes is not a multiple of ", kKeyBytes));
  }
  std::vector<Digest> keys(bytes.size() / kKeyBytes);
  for (size_t i = 0; i < keys.size(); ++i) {
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(i * kKeyBytes), kKeyBytes,
                keys[i].begin());
  }
  if (const std::optional<Digest> repeated = FindRepeated(keys)) {
    return absl::DataLossError(
        absl::StrCat("keys file ", path, ": the key ", ToHex(*repeated), " appears twice"));
  }
  return keys;
}

absl::Status WriteKeysFile(const std::string& path, absl::Span<const Digest> keys) {
  if (const std::optional<Digest> repeated = FindRepeated(keys)) {
    return absl::InvalidArgumentError(
        absl::StrCat("keys file ", path, ": the key ", ToHex(*repeated), " is given twice"));
  }
  std::string bytes;
  bytes.reserve(keys.size() * kKeyBytes);
  for (const Digest& key : keys) bytes.append(key.begin(), key.end());
  return WriteFileAtomically(path, bytes);
}

}  // namespace fpo
