#include "common/reference/packed_record.h"

#include "absl/strings/str_cat.h"
#include "common/reference/byte_reader.h"
#include "common/status_macros.h"

namespace fpo {

PackedRecord Pack(const Digest& key, const Record& record) {
  PackedRecord packed{.key = key, .sha256 = {}, .bytes = EncodeRecord(record)};
  packed.sha256 = Sha256Of(packed.bytes);
  return packed;
}

void AppendPacked(const PackedRecord& record, std::string* out) {
  out->append(record.key.begin(), record.key.end());
  out->append(record.sha256.begin(), record.sha256.end());
  AppendLittleEndian(static_cast<uint32_t>(record.bytes.size()), out);
  out->append(record.bytes);
}

void AddToFrames(const PackedRecord& record, std::vector<PackedFrame>* frames) {
  const size_t size = record.key.size() + record.sha256.size() + 4 + record.bytes.size();
  if (frames->empty() || frames->back().packed.size() + size > kFrameBytesMax) {
    frames->emplace_back();
  }
  AppendPacked(record, &frames->back().packed);
  ++frames->back().records;
}

absl::StatusOr<PackedView> TakePacked(absl::string_view* packed) {
  ByteReader reader(*packed);
  PackedView record;
  uint32_t size = 0;
  if (!reader.Read(&record.key) || !reader.Read(&record.sha256) || !reader.Read(&size)) {
    return absl::DataLossError(
        absl::StrCat("packed record: truncated, ", packed->size(), " bytes are left"));
  }
  if (size > kRecordBytesMax) {
    return absl::DataLossError(absl::StrCat("packed record ", ToHex(record.key), ": ", size,
                                            " bytes, the limit is ", kRecordBytesMax));
  }
  if (!reader.ReadBytes(size, &record.bytes)) {
    return absl::DataLossError(absl::StrCat("packed record ", ToHex(record.key), ": truncated, ",
                                            size, " bytes announced, ", reader.remaining(),
                                            " are left"));
  }
  if (Sha256Of(record.bytes) != record.sha256) {
    return absl::DataLossError(
        absl::StrCat("packed record ", ToHex(record.key), ": its bytes do not match its SHA-256"));
  }
  packed->remove_prefix(packed->size() - reader.remaining());
  return record;
}

absl::StatusOr<std::vector<PackedRecord>> Unpack(absl::string_view packed) {
  std::vector<PackedRecord> records;
  while (!packed.empty()) {
    FPO_ASSIGN_OR_RETURN(const PackedView view, TakePacked(&packed));
    records.push_back({view.key, view.sha256, std::string(view.bytes)});
  }
  return records;
}

}  // namespace fpo
