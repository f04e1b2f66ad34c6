// libfpo_arrow.so: columns to the bytes of a Parquet file (docs/decisions/0014).

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <parquet/arrow/writer.h>

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "train/tables/table_plugin.h"

namespace fpo::train {
namespace {

constexpr int64_t kRowsPerGroup = int64_t{1} << 16;

template <typename Builder, typename Value>
arrow::Result<std::shared_ptr<arrow::Array>> ArrayOf(const std::vector<Value>& values,
                                                     const std::vector<bool>& present) {
  Builder builder;
  for (size_t i = 0; i < values.size(); ++i) {
    ARROW_RETURN_NOT_OK(present[i] ? builder.Append(values[i]) : builder.AppendNull());
  }
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Array>> ArrayOfColumn(const TableColumn& column) {
  switch (column.type) {
    case TableColumn::kWhole:
      return ArrayOf<arrow::Int64Builder>(column.wholes, column.present);
    case TableColumn::kText:
      return ArrayOf<arrow::StringBuilder>(column.texts, column.present);
    default:  // a column of nulls alone is one of numbers
      return ArrayOf<arrow::DoubleBuilder>(column.reals, column.present);
  }
}

arrow::Result<std::string> BytesOfTable(const std::vector<TableColumn>& columns) {
  std::vector<std::shared_ptr<arrow::Field>> fields;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  for (const TableColumn& column : columns) {
    ARROW_ASSIGN_OR_RAISE(auto array, ArrayOfColumn(column));
    fields.push_back(arrow::field(column.name, array->type()));
    arrays.push_back(std::move(array));
  }
  const auto table = arrow::Table::Make(arrow::schema(fields), arrays);
  ARROW_ASSIGN_OR_RAISE(const auto out, arrow::io::BufferOutputStream::Create());
  const auto properties =
      parquet::WriterProperties::Builder().compression(parquet::Compression::ZSTD)->build();
  ARROW_RETURN_NOT_OK(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out,
                                                 kRowsPerGroup, properties));
  ARROW_ASSIGN_OR_RAISE(const auto buffer, out->Finish());
  return buffer->ToString();
}

}  // namespace
}  // namespace fpo::train

extern "C" __attribute__((visibility("default"))) void FpoParquetBytes(
    const std::vector<fpo::train::TableColumn>& columns, std::string* bytes,
    fpo::train::TableFault* fault) {
  try {
    auto result = fpo::train::BytesOfTable(columns);
    if (result.ok()) {
      *bytes = *std::move(result);
    } else {
      fault->why = result.status().message();
    }
  } catch (const std::exception& error) {
    fault->why = error.what();
  }
}
