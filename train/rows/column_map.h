#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "nlohmann/json_fwd.hpp"

namespace fpo::train {

// data.columns: the name that a form of rows uses, and the file's own name for it, which may be a
// path into the row ("answers.0.text").
using ColumnMap = std::vector<std::pair<std::string, std::string>>;

// Renames what the file calls otherwise; a field that had the new name is replaced.
// InvalidArgument when the row has no such column.
absl::Status RenameColumns(const ColumnMap& columns, nlohmann::json* row);

}  // namespace fpo::train
