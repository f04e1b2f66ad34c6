#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fpo {

inline constexpr char kDataFileEndings[] =
    ".jsonl, .ndjson or .json, each also with .gz or .zst; .parquet; .arrow";

// Whether a data file of this name holds a table (.parquet, .arrow) and no text.
bool IsTableFileName(absl::string_view path);

// InvalidArgument, with a remedy, for a data file whose name shows that it is not read.
absl::Status CheckDataFileName(const std::string& path);

}  // namespace fpo
