#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "train/tables/table_plugin.h"

namespace fpo::train {

// The rows of a Parquet file, or of an Arrow stream or file, as the JSON texts that the same rows
// have in a .jsonl file. Null, NaN and infinities are null; bytes, which JSON cannot hold, become
// an object that says how many there are. Holds a few hundred decoded rows. Not thread-safe.
class TableReader {
 public:
  // FailedPrecondition, with the remedy, without libfpo_arrow.so in `library_folder` (default: the
  // program's own). InvalidArgument for an encrypted file; DataLoss for a broken one, which names
  // file, row group and reason.
  static absl::StatusOr<std::unique_ptr<TableReader>> Open(const std::string& path,
                                                           int64_t row_bytes_max,
                                                           const std::string& library_folder = "");
  // nullopt at the end. The errors of Open; InvalidArgument for a row above `row_bytes_max`.
  absl::StatusOr<std::optional<std::string>> Next();

 private:
  TableReader(std::string path, std::unique_ptr<TableRows> rows);

  const std::string path_;
  std::unique_ptr<TableRows> rows_;
};

}  // namespace fpo::train
