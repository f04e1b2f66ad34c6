#include "train/rows/column_map.h"

#include <cstddef>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "train/rows/row_form.h"

namespace fpo::train {
namespace {

using Json = nlohmann::json;

// The value at "a" or "a.0.b"; nullptr: none.
const Json* ValueAt(const Json& row, const std::string& path) {
  const auto whole = row.find(path);
  if (whole != row.end()) return &*whole;
  const Json* at = &row;
  for (const absl::string_view step : absl::StrSplit(path, '.')) {
    size_t index = 0;
    if (at->is_array() && absl::SimpleAtoi(step, &index) && index < at->size()) {
      at = &(*at)[index];
    } else if (at->is_object() && at->contains(std::string(step))) {
      at = &(*at)[std::string(step)];
    } else {
      return nullptr;
    }
  }
  return at;
}

}  // namespace

absl::Status RenameColumns(const ColumnMap& columns, Json* row) {
  if (columns.empty() || !row->is_object()) return absl::OkStatus();
  Json renamed = *row;
  // Both columns may trade names, so values are taken from the row as it was.
  for (const auto& [name, column] : columns) renamed.erase(column);
  for (const auto& [name, column] : columns) {
    const Json* value = ValueAt(*row, column);
    if (value == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("no column '", column, "' for data.columns.",
                                                     name, "; ", DescribeRow(*row)));
    }
    renamed[name] = *value;
  }
  *row = std::move(renamed);
  return absl::OkStatus();
}

}  // namespace fpo::train
