#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/reference/recipe.h"
#include "common/reference/record.h"

namespace fpo {

// A stored record with what proves it whole.
struct PackedRecord {
  Digest key;
  Digest sha256;      // of `bytes`
  std::string bytes;  // EncodeRecord
};

// Records packed for the wire: key (32), sha256 (32), u32 LE length, bytes; one after the other.
void AppendPacked(const PackedRecord& record, std::string* out);
// DataLoss when truncated, oversized (1 MiB a record) or when a digest does not match.
absl::StatusOr<std::vector<PackedRecord>> Unpack(absl::string_view packed);

// Writes a .fpr file: header with the recipe, packed records in the given order, then an index and
// a SHA-256 over all of it. The file appears under its name only when Finish succeeds (written as
// NAME.part, fsync, rename). Not thread-safe.
class RecordFileWriter {
 public:
  static absl::StatusOr<std::unique_ptr<RecordFileWriter>> Create(const std::string& path,
                                                                  const Recipe& recipe);
  ~RecordFileWriter();  // removes an unfinished .part
  absl::Status Add(const PackedRecord& record);
  absl::Status Finish();

 private:
  struct State;
  explicit RecordFileWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A memory-mapped .fpr file. Thread-safe for reads.
class RecordFile {
 public:
  // DataLoss when the file is truncated or its digest does not match; every record digest is
  // checked once here.
  static absl::StatusOr<std::unique_ptr<RecordFile>> Open(const std::string& path);
  ~RecordFile();
  const Recipe& recipe() const;
  int64_t size() const;
  // By position, in file order.
  absl::StatusOr<PackedRecord> At(int64_t index) const;
  // NotFound names the key: a missing record is never read as zero.
  absl::StatusOr<Record> Find(const Digest& key) const;
  bool Contains(const Digest& key) const;

 private:
  struct State;
  explicit RecordFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo
