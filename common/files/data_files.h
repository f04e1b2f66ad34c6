#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace fpo {

// Whether an entry of data.train stands for several files: a pattern ("/d/part-*.jsonl"), unless a
// file of that name exists.
bool IsFilePattern(const std::string& path);

// The files that an entry of data.train or data.eval stands for: one file, the matches of a pattern
// or the data files of a folder, in the order of their names, or the files of a dataset that
// save_to_disk wrote, in its own order. NotFound when there is none; InvalidArgument for a folder
// that holds several splits (train and test), and when a part of NAME-00000-of-00003 is missing.
absl::StatusOr<std::vector<std::string>> ExpandDataFiles(const std::string& path);

}  // namespace fpo
