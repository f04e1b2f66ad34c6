#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/reference/packed_record.h"
#include "common/reference/recipe.h"
#include "common/reference/record.h"

namespace fpo {

// Writes a .fpr file: header with the recipe, packed records in the given order, then an index and
// a SHA-256 over all of it. The file appears under its name only when Finish succeeds (written as
// NAME.part, fsync, rename). Not thread-safe.
//
// Bytes, numbers little-endian: "FPOREC1\n", u32 recipe length, recipe (canonical JSON), packed
// records; index: u32 position of each record, sorted by key; then u64 offset of the index, u64
// record count, and the SHA-256 of everything before it.
class RecordFileWriter {
 public:
  static absl::StatusOr<std::unique_ptr<RecordFileWriter>> Create(const std::string& path,
                                                                  const Recipe& recipe);
  ~RecordFileWriter();  // removes an unfinished .part
  // AlreadyExists for a duplicate key; InvalidArgument for bytes that are not a record of the
  // recipe; otherwise errors of writing, after which the writer must not be used.
  absl::Status Add(const PackedRecord& record);
  absl::Status Finish();  // once

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
  // Only the recipe, from the head of the file; nothing else is checked.
  static absl::StatusOr<Recipe> PeekRecipe(const std::string& path);
  const Recipe& recipe() const;
  int64_t size() const;
  // By position, in file order.
  absl::StatusOr<PackedRecord> At(int64_t index) const;
  const Digest& KeyAt(int64_t index) const;                          // index within [0, size())
  absl::StatusOr<PackedRecord> FindPacked(const Digest& key) const;  // NotFound names the key
  // NotFound names the key: a missing record is never read as zero.
  absl::StatusOr<Record> Find(const Digest& key) const;
  bool Contains(const Digest& key) const;

 private:
  struct State;
  explicit RecordFile(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fpo
