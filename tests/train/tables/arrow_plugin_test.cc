#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/train/support/scratch_folder.h"
#include "tests/train/tables/golden_tables.h"

namespace fpo::train {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kTables[] = {"codec_snappy.parquet", "types.parquet", "types_file.arrow",
                                   "types_stream.arrow", "saved/data-00000-of-00002.arrow"};

bool EndsInError(const std::vector<std::string>& rows) {
  return !rows.empty() && absl::StartsWith(rows.back(), "error ");
}

// No cut may go unnoticed: rows would be lost without a word.
TEST(ArrowPluginTest, ATruncatedFileIsAnErrorWhereverItEnds) {
  SKIP_WITHOUT_ARROW();
  const ScratchFolder folder;
  for (const std::string name : kTables) {
    const std::string bytes = Slurp(GoldenTable(name));
    for (size_t size = 0; size < bytes.size(); size += size < 16 ? 1 : 37) {
      const std::string path = folder.Put("cut", bytes.substr(0, size));
      ASSERT_TRUE(EndsInError(ReadTableRows(path))) << name << " cut at " << size;
    }
  }
}

TEST(ArrowPluginTest, AStreamWithoutItsEndMarkIsIncomplete) {
  SKIP_WITHOUT_ARROW();
  const ScratchFolder folder;
  const std::string bytes = Slurp(GoldenTable("saved/data-00000-of-00002.arrow"));
  const std::string path = folder.Put("x.arrow", bytes.substr(0, bytes.size() - 8));
  EXPECT_THAT(ReadTableRows(path).back(),
              AllOf(StartsWith("error DATA_LOSS"), HasSubstr("no end mark")));
}

TEST(ArrowPluginTest, ADamagedRowGroupIsNamedWithItsRows) {
  SKIP_WITHOUT_ARROW();
  const ScratchFolder folder;
  std::string bytes = Slurp(GoldenTable("codec_none.parquet"));  // three row groups, checksums
  const size_t at = bytes.find("question 25");
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  const auto rows = ReadTableRows(folder.Put("x.parquet", bytes));
  EXPECT_EQ(rows.size(), 21u);
  EXPECT_THAT(rows.back(), AllOf(StartsWith("error DATA_LOSS"),
                                 HasSubstr("row group 2 of 3 (rows 21 to 40): ")));
}

TEST(ArrowPluginTest, EncryptedFilesAreNamed) {
  SKIP_WITHOUT_ARROW();
  EXPECT_THAT(ReadTableRows(GoldenTable("encrypted_columns.parquet")).back(),
              AllOf(StartsWith("error INVALID_ARGUMENT"), HasSubstr("it is encrypted")));
}

TEST(ArrowPluginTest, ARowThatIsTooLong) {
  SKIP_WITHOUT_ARROW();
  EXPECT_THAT(
      ReadTableRows(GoldenTable("types.parquet"), 100).back(),
      AllOf(StartsWith("error INVALID_ARGUMENT"), HasSubstr("row 1 has more than 100 bytes")));
}

TEST(ArrowPluginTest, SurvivesDamage) {
  SKIP_WITHOUT_ARROW();
  const ScratchFolder folder;
  for (const std::string name : kTables) {
    FuzzByMutation(Slurp(GoldenTable(name)), 150,
                   [&](const std::string& bytes) { ReadTableRows(folder.Put("damaged", bytes)); });
  }
}

}  // namespace
}  // namespace fpo::train
