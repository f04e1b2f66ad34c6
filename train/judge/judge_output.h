#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace fpo::train {

// The two files of a judge: rows at `out` and a summary beside them. A summary marks the rows as
// made by this program, which may then be written again.
std::string SummaryPath(const std::string& out);

// Before anything is read: InvalidArgument when `out` is one of the inputs, AlreadyExists when it
// is there without a summary.
absl::Status CheckJudgeOut(const std::string& out, const std::vector<std::string>& inputs);

// Before anything is asked: what was paid for must find a place. kStorage.
absl::Status MakeFolderOf(const std::string& out);

// Writes the summary, then the rows, each whole: a list where `out` ends in .json, else a row a
// line.
absl::Status WriteJudgeOut(const std::string& out, const std::string& summary,
                           const std::vector<std::string>& rows);

}  // namespace fpo::train
