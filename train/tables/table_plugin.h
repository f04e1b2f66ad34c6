#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fpo::train {

// What fpo-train and libfpo_arrow.so exchange: standard types only, so that Arrow stays out of the
// program and Abseil out of the library.

struct TableFault {
  std::string why;          // "" for none
  bool is_damaged = false;  // the bytes are at fault, not the kind of file

  bool operator==(const TableFault&) const = default;
};

// The rows of one file. Not thread-safe.
class TableRows {
 public:
  virtual ~TableRows() = default;
  // The next row as the text of a JSON object. False at the end, and when `fault` is set.
  virtual bool Next(std::string* row, TableFault* fault) = 0;
};

// Exported by the library as FpoOpenTableRows. `row_bytes_max`: how long a row's text may be. Null
// when `fault` is set; the caller owns the result.
using OpenTableRows = TableRows* (*)(const char* path, int64_t row_bytes_max, TableFault* fault);
inline constexpr char kOpenTableRows[] = "FpoOpenTableRows";

// A column to write. Of its lists that of its type has a value a row, and `present` says whether it
// counts.
struct TableColumn {
  enum Type { kNothing, kWhole, kReal, kText };  // kNothing: nulls alone; it has `reals`
  std::string name;
  Type type = kNothing;
  std::vector<bool> present;
  std::vector<int64_t> wholes;
  std::vector<double> reals;
  std::vector<std::string> texts;
};

// Exported as FpoParquetBytes: the bytes of a Parquet file with these columns, which have equally
// many rows.
using ParquetBytes = void (*)(const std::vector<TableColumn>& columns, std::string* bytes,
                              TableFault* fault);
inline constexpr char kParquetBytes[] = "FpoParquetBytes";

}  // namespace fpo::train
