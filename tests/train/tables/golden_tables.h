#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "train/tables/table_reader.h"

namespace fpo::train {

// A file of tests/golden/tables, which pyarrow wrote.
inline std::string GoldenTable(const std::string& name) {
  const char* root = std::getenv("FPO_SOURCE_DIR");
  return std::string(root == nullptr ? "." : root) + "/tests/golden/tables/" + name;
}

inline bool HasArrow() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return std::filesystem::exists(program.parent_path() / "libfpo_arrow.so", error) &&
         std::filesystem::exists(GoldenTable("types.parquet"), error);
}

#define SKIP_WITHOUT_ARROW() \
  if (!HasArrow()) GTEST_SKIP() << "needs libfpo_arrow.so (scripts/setup.sh) and FPO_SOURCE_DIR"

// Every row as JSON text, or the error as the last entry.
inline std::vector<std::string> ReadTableRows(const std::string& path,
                                              int64_t row_bytes_max = 1 << 20) {
  auto table = TableReader::Open(path, row_bytes_max);
  if (!table.ok()) return {"error " + table.status().ToString()};
  std::vector<std::string> rows;
  while (true) {
    auto row = (*table)->Next();
    if (!row.ok()) {
      rows.push_back("error " + row.status().ToString());
      return rows;
    }
    if (!*row) return rows;
    rows.push_back(**std::move(row));
  }
}

}  // namespace fpo::train
