#include "train/tables/table_reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "train/tables/table_library.h"

namespace fpo::train {
namespace {

absl::Status FaultStatus(const std::string& path, const TableFault& fault) {
  const std::string text = absl::StrCat(path, ": ", fault.why);
  return fault.is_damaged ? absl::DataLossError(text) : absl::InvalidArgumentError(text);
}

absl::StatusOr<OpenTableRows> FindOpenTableRows(const std::string& folder) {
  const absl::StatusOr<void*> function = TableFunction(kOpenTableRows, folder);
  if (function.ok()) return reinterpret_cast<OpenTableRows>(*function);
  return absl::FailedPreconditionError(absl::StrCat(
      "Parquet and Arrow are read by ", function.status().message(),
      "; build fpo-train after scripts/setup.sh, which fetches Arrow, or convert the rows, in "
      "Python: datasets.load_dataset(\"parquet\", data_files=\"x.parquet\")[\"train\"]"
      ".to_json(\"x.jsonl\") or datasets.load_from_disk(\"FOLDER\").to_json(\"x.jsonl\")"));
}

}  // namespace

TableReader::TableReader(std::string path, std::unique_ptr<TableRows> rows)
    : path_(std::move(path)), rows_(std::move(rows)) {}

absl::StatusOr<std::unique_ptr<TableReader>> TableReader::Open(const std::string& path,
                                                               int64_t row_bytes_max,
                                                               const std::string& library_folder) {
  const absl::StatusOr<OpenTableRows> open = FindOpenTableRows(library_folder);
  if (!open.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": ", open.status().message()));
  }
  TableFault fault;
  std::unique_ptr<TableRows> rows((*open)(path.c_str(), row_bytes_max, &fault));
  if (rows == nullptr) return FaultStatus(path, fault);
  return std::unique_ptr<TableReader>(new TableReader(path, std::move(rows)));
}

absl::StatusOr<std::optional<std::string>> TableReader::Next() {
  std::string row;
  TableFault fault;
  if (rows_->Next(&row, &fault)) return std::optional<std::string>(std::move(row));
  if (!fault.why.empty()) return FaultStatus(path_, fault);
  return std::optional<std::string>();
}

}  // namespace fpo::train
