#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace fpo::train {

// One JSON value of an input file, with the place where it starts.
struct RowText {
  std::string text;
  int64_t line = 0;         // 1-based; of a table, the row
  int64_t column = 0;       // bytes of the line before it
  bool is_written = false;  // the text stands in the file so; a table's row was written from values
};

// Streams the rows of one file: one per line (blank lines are skipped), or an array; plain, gzip or
// Zstandard; or the rows of a Parquet or Arrow file (TableReader). Holds one row in memory, of a
// table a few hundred. Not thread-safe.
class RowSource {
 public:
  // NotFound, and the errors of ByteStream::Open and TableReader::Open; InvalidArgument, with a
  // remedy, for a name whose ending is not that of a data file.
  static absl::StatusOr<std::unique_ptr<RowSource>> Open(const std::string& path);
  ~RowSource();
  // nullopt at the end. DataLoss for a broken file or an array that never ends; InvalidArgument
  // for a row above 64 MiB and for text behind the array.
  absl::StatusOr<std::optional<RowText>> Next();

 private:
  struct State;
  explicit RowSource(std::unique_ptr<State> state);
  absl::StatusOr<std::optional<RowText>> NextLine();
  absl::StatusOr<std::optional<RowText>> NextElement();
  absl::StatusOr<std::optional<RowText>> NextOfTable();
  std::unique_ptr<State> state_;
};

}  // namespace fpo::train
