#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo {

// Whether an entry of data.train stands for several files: a pattern ("/d/part-*.jsonl"), unless a
// file of that name exists.
bool IsFilePattern(const std::string& path);

// The files that an entry of data.train or data.eval stands for, in the order of their names: one
// file, the matches of a pattern, or the data files of a folder. NotFound when there is none;
// InvalidArgument for a folder that holds several splits (train and test), or a dataset in Arrow.
absl::StatusOr<std::vector<std::string>> ExpandDataFiles(const std::string& path);

}  // namespace fpo
