#include "train/tables/table_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"
#include "tests/train/tables/golden_tables.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(TableReaderTest, WithoutTheLibraryTheErrorSaysHowToGetItOrDoWithoutIt) {
  const ScratchFolder folder;
  const auto table = TableReader::Open("/d/x.parquet", 100, folder.path());
  EXPECT_TRUE(absl::IsFailedPrecondition(table.status())) << table.status();
  EXPECT_THAT(std::string(table.status().message()),
              AllOf(HasSubstr("/d/x.parquet: "), HasSubstr(folder / "libfpo_arrow.so"),
                    HasSubstr("scripts/setup.sh"), HasSubstr("to_json")));
  folder.Put("libfpo_arrow.so", "no library");
  EXPECT_TRUE(
      absl::IsFailedPrecondition(TableReader::Open("/d/x.parquet", 100, folder.path()).status()));
}

TEST(TableReaderTest, TheErrorNamesTheFile) {
  SKIP_WITHOUT_ARROW();
  const ScratchFolder folder;
  const std::string path = folder.Put("x.parquet", "PAR1 and so on");
  EXPECT_THAT(ReadTableRows(path).back(),
              AllOf(HasSubstr("DATA_LOSS: " + path), HasSubstr("PAR1 (an incomplete copy?)")));
  EXPECT_THAT(ReadTableRows(folder / "none.parquet").back(), HasSubstr("none.parquet"));
}

}  // namespace
}  // namespace fpo::train
