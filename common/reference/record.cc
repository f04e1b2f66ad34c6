#include "common/reference/record.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/reference/byte_reader.h"
#include "common/status_macros.h"

namespace fpo {
namespace {

constexpr uint8_t kVersion = 1;
// The least that an entry of a feature list takes: one byte of index, four of value.
constexpr size_t kEntryBytesMin = 5;

using Features = std::vector<std::pair<uint32_t, float>>;

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("reference record: ", what));
}

void AppendFeatures(const Features& features, std::string* out) {
  AppendVarint(static_cast<uint32_t>(features.size()), out);
  uint32_t previous = 0;
  for (const auto& [index, value] : features) {
    AppendVarint(index - previous, out);
    previous = index;
  }
  for (const auto& [index, value] : features) AppendLittleEndian(value, out);
}

absl::StatusOr<Features> ReadFeatures(ByteReader* reader) {
  uint32_t count = 0;
  if (!reader->ReadVarint(&count)) return Malformed("truncated before a feature list");
  if (count > reader->remaining() / kEntryBytesMin) {
    return Malformed(absl::StrCat("a list of ", count, " features in ", reader->remaining(),
                                  " bytes"));
  }
  Features features(count);
  uint64_t index = 0;
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t delta = 0;
    if (!reader->ReadVarint(&delta)) return Malformed("truncated or malformed feature index");
    if (i > 0 && delta == 0) return Malformed(absl::StrCat("feature ", index, " appears twice"));
    index += delta;
    if (index > UINT32_MAX) return Malformed("feature index beyond 32 bits");
    features[i].first = static_cast<uint32_t>(index);
  }
  for (auto& [feature, value] : features) {
    if (!reader->Read(&value)) return Malformed("truncated within feature values");
    if (value == 0 || !std::isfinite(value)) {
      return Malformed(absl::StrCat("feature ", feature, " has the value ", value));
    }
  }
  return features;
}

}  // namespace

std::string EncodeRecord(const Record& record) {
  std::string out;
  out.push_back(static_cast<char>(kVersion));
  AppendLittleEndian(record.sum_logp, &out);
  AppendVarint(record.tokens, &out);
  AppendVarint(static_cast<uint32_t>(record.features.size()), &out);
  for (const Features& features : record.features) AppendFeatures(features, &out);
  return out;
}

absl::StatusOr<Record> DecodeRecord(absl::string_view bytes) {
  ByteReader reader(bytes);
  Record record;
  uint8_t version = 0;
  uint32_t sae_count = 0;
  if (!reader.Read(&version)) return Malformed("no bytes");
  if (version != kVersion) return Malformed(absl::StrCat("version ", version, ", expected 1"));
  if (!reader.Read(&record.sum_logp) || !reader.ReadVarint(&record.tokens) ||
      !reader.ReadVarint(&sae_count)) {
    return Malformed(absl::StrCat("truncated: ", bytes.size(), " bytes in all"));
  }
  if (!std::isfinite(record.sum_logp)) return Malformed("log-probability is not finite");
  if (sae_count > reader.remaining()) {
    return Malformed(absl::StrCat(sae_count, " SAEs in ", reader.remaining(), " bytes"));
  }
  for (uint32_t i = 0; i < sae_count; ++i) {
    FPO_ASSIGN_OR_RETURN(record.features.emplace_back(), ReadFeatures(&reader));
  }
  if (reader.remaining() != 0) {
    return Malformed(absl::StrCat(reader.remaining(), " bytes follow the end"));
  }
  return record;
}

Record MarginOnly(const Record& record) {
  return Record{.sum_logp = record.sum_logp, .tokens = record.tokens, .features = {}};
}

}  // namespace fpo
