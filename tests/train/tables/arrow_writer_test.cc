#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/tables/golden_tables.h"
#include "train/tables/table_library.h"
#include "train/tables/table_plugin.h"

namespace fpo::train {
namespace {

std::string Written(const std::vector<TableColumn>& columns, TableFault* fault) {
  const auto function = TableFunction(kParquetBytes, "");
  EXPECT_TRUE(function.ok()) << function.status();
  std::string bytes;
  if (function.ok()) (*reinterpret_cast<ParquetBytes>(*function))(columns, &bytes, fault);
  return bytes;
}

// More rows than a row group has.
TEST(ArrowWriter, ManyRowsComeBackInOrder) {
  SKIP_WITHOUT_ARROW();
  TableColumn number{"n", TableColumn::kWhole, {}, {}, {}, {}};
  for (int64_t i = 0; i < 70000; ++i) {
    number.present.push_back(i % 7 != 0);
    number.wholes.push_back(i);
  }
  TableFault fault;
  const ScratchFolder folder;
  const auto rows = ReadTableRows(folder.Put("x.parquet", Written({number}, &fault)));
  EXPECT_EQ(fault.why, "");
  ASSERT_EQ(rows.size(), 70000u);
  for (int64_t i = 0; i < 70000; ++i) {
    const std::string value = i % 7 != 0 ? absl::StrCat(i) : "null";
    ASSERT_EQ(rows[static_cast<size_t>(i)], absl::StrCat("{\"n\":", value, "}"));
  }
}

TEST(ArrowWriter, NoColumnsAndNoRowsAreAFileToo) {
  SKIP_WITHOUT_ARROW();
  TableFault fault;
  const ScratchFolder folder;
  const TableColumn empty{"text", TableColumn::kText, {}, {}, {}, {}};
  EXPECT_TRUE(ReadTableRows(folder.Put("x.parquet", Written({empty}, &fault))).empty());
  EXPECT_EQ(fault.why, "");
}

}  // namespace
}  // namespace fpo::train
