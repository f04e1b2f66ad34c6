#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo {

// What the first bytes of a data file tell about it. InvalidArgument, with a remedy, for one that
// is not read (xz, bzip2, zip, UTF-16, encrypted Parquet), or not under its name (Parquet that ends
// in .jsonl, text that ends in .parquet); DataLoss for a Git LFS pointer.
absl::Status CheckDataFileBytes(absl::string_view bytes, const std::string& path);

// The same for a file that may be absent or unreadable, which others report.
absl::Status CheckDataFileBegin(const std::string& path);

}  // namespace fpo
