#pragma once

#include <string>

#include "absl/status/status.h"

namespace fpo {

inline constexpr char kDataFileEndings[] = ".jsonl, .ndjson or .json, each also with .gz or .zst";

// InvalidArgument, with a remedy, for a data file whose name shows that it is not read.
absl::Status CheckDataFileName(const std::string& path);

}  // namespace fpo
