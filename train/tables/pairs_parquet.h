#pragma once

#include <string>

#include "absl/status/status.h"

namespace fpo::train {

// FailedPrecondition, with the remedy, when no Parquet can be written here: to be asked before a
// long run.
absl::Status CheckParquet(const std::string& library_folder = "");

// Writes NAME.parquet beside NAME.jsonl, the same rows: a column for each field of its flat objects
// in the order in which they first appear, of 64-bit integers, doubles (where one value has a
// decimal point or exponent) or texts; absent and null are null. InvalidArgument names line and
// field that are something else. Written as a whole or not at all.
absl::Status WriteParquetBeside(const std::string& jsonl, const std::string& library_folder = "");

// The same for every .jsonl file of a folder; a missing folder has none.
absl::Status WriteParquetBesideAll(const std::string& folder,
                                   const std::string& library_folder = "");

}  // namespace fpo::train
