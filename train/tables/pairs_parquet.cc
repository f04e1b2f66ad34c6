#include "train/tables/pairs_parquet.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/files/durable_file.h"
#include "common/files/posix_status.h"
#include "common/status_macros.h"
#include "train/tables/table_library.h"
#include "train/tables/table_plugin.h"

namespace fpo::train {
namespace {

using FlatRow = nlohmann::ordered_json;

absl::StatusOr<ParquetBytes> FindParquetBytes(const std::string& folder) {
  const absl::StatusOr<void*> function = TableFunction(kParquetBytes, folder);
  if (function.ok()) return reinterpret_cast<ParquetBytes>(*function);
  return absl::FailedPreconditionError(
      absl::StrCat("Parquet is written by ", function.status().message(),
                   "; build fpo-train after scripts/setup.sh, which fetches Arrow, or leave out "
                   "--parquet: the same rows are in the .jsonl file"));
}

TableColumn& ColumnOf(const std::string& name, std::vector<TableColumn>* columns) {
  for (TableColumn& column : *columns) {
    if (column.name == name) return column;
  }
  columns->push_back({name, TableColumn::kNothing, {}, {}, {}, {}});
  return columns->back();
}

// The type that holds both; nullopt: none does.
std::optional<TableColumn::Type> WiderType(TableColumn::Type a, TableColumn::Type b) {
  if (a == b || b == TableColumn::kNothing) return a;
  if (a == TableColumn::kNothing) return b;
  if (a != TableColumn::kText && b != TableColumn::kText) return TableColumn::kReal;
  return std::nullopt;
}

std::optional<TableColumn::Type> TypeOf(const FlatRow& value) {
  if (value.is_null()) return TableColumn::kNothing;
  if (value.is_number_integer()) return TableColumn::kWhole;
  if (value.is_number()) return TableColumn::kReal;
  if (value.is_string()) return TableColumn::kText;
  return std::nullopt;
}

absl::StatusOr<std::vector<FlatRow>> ParseRows(absl::string_view text,
                                               std::vector<TableColumn>* columns) {
  std::vector<FlatRow> rows;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const auto where = [&] { return absl::StrCat("line ", rows.size() + 1, ": "); };
    FlatRow row = FlatRow::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    if (!row.is_object()) return absl::InvalidArgumentError(where() + "not a JSON object");
    for (const auto& [name, value] : row.items()) {
      TableColumn& column = ColumnOf(name, columns);
      const auto type = TypeOf(value);
      const auto wider = type.has_value() ? WiderType(column.type, *type) : std::nullopt;
      if (!wider.has_value()) {
        return absl::InvalidArgumentError(
            absl::StrCat(where(), "the field ", name, " is of another type than before"));
      }
      column.type = *wider;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

void FillColumn(const std::vector<FlatRow>& rows, TableColumn* column) {
  for (const FlatRow& row : rows) {
    const auto found = row.find(column->name);
    const bool is_there = found != row.end() && !found->is_null();
    column->present.push_back(is_there);
    if (column->type == TableColumn::kText) {
      column->texts.push_back(is_there ? found->get<std::string>() : "");
    } else if (column->type == TableColumn::kWhole) {
      column->wholes.push_back(is_there ? found->get<int64_t>() : 0);
    } else {
      column->reals.push_back(is_there ? found->get<double>() : 0);
    }
  }
}

}  // namespace

absl::Status CheckParquet(const std::string& library_folder) {
  return FindParquetBytes(library_folder).status();
}

absl::Status WriteParquetBeside(const std::string& jsonl, const std::string& library_folder) {
  FPO_ASSIGN_OR_RETURN(const ParquetBytes parquet, FindParquetBytes(library_folder));
  FPO_ASSIGN_OR_RETURN(const std::string text, ReadFile(jsonl));
  std::vector<TableColumn> columns;
  auto rows = ParseRows(text, &columns);
  if (!rows.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(jsonl, ", ", rows.status().message()));
  }
  for (TableColumn& column : columns) FillColumn(*rows, &column);
  std::string bytes;
  TableFault fault;
  (*parquet)(columns, &bytes, &fault);
  if (!fault.why.empty()) return absl::InternalError(absl::StrCat(jsonl, ": ", fault.why));
  return WriteFileAtomically(absl::StrCat(absl::StripSuffix(jsonl, ".jsonl"), ".parquet"), bytes);
}

absl::Status WriteParquetBesideAll(const std::string& folder, const std::string& library_folder) {
  std::error_code missing;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, missing)) {
    if (entry.path().extension() != ".jsonl") continue;
    FPO_RETURN_IF_ERROR(WriteParquetBeside(entry.path().string(), library_folder));
  }
  return absl::OkStatus();
}

}  // namespace fpo::train
