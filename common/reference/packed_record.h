#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/hash.h"
#include "common/reference/record.h"

namespace fpo {

// A stored record with the digest that verifies it.
struct PackedRecord {
  Digest key;
  Digest sha256;      // of `bytes`
  std::string bytes;  // EncodeRecord

  bool operator==(const PackedRecord&) const = default;
};

inline constexpr size_t kRecordBytesMax = size_t{1} << 20;

PackedRecord Pack(const Digest& key, const Record& record);

// Records packed for the wire: key (32), sha256 (32), u32 LE length, bytes; concatenated.
void AppendPacked(const PackedRecord& record, std::string* out);
// DataLoss when truncated, oversized (1 MiB a record) or when a digest does not match.
absl::StatusOr<std::vector<PackedRecord>> Unpack(absl::string_view packed);

// Records of one message of an upload.
struct PackedFrame {
  std::string packed;
  int64_t records = 0;
};
inline constexpr size_t kFrameBytesMax = size_t{1} << 20;
// Adds to the last frame what fits, else begins one. One record alone may be larger than a frame.
void AddToFrames(const PackedRecord& record, std::vector<PackedFrame>* frames);

// Proves a sequence of records whose own digests are proved: SHA-256 over key and SHA-256 of each,
// in order. Not thread-safe.
class SequenceDigest {
 public:
  void Add(const Digest& key, const Digest& sha256) {
    hash_.Update({reinterpret_cast<const char*>(key.data()), key.size()});
    hash_.Update({reinterpret_cast<const char*>(sha256.data()), sha256.size()});
  }
  Digest Finish() { return hash_.Finish(); }  // once

 private:
  Sha256 hash_;
};

// Takes the next record off the front of *packed and verifies it like Unpack. `bytes` points into
// *packed's storage.
struct PackedView {
  Digest key;
  Digest sha256;
  absl::string_view bytes;
};
absl::StatusOr<PackedView> TakePacked(absl::string_view* packed);

}  // namespace fpo
