#include "common/files/data_file_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/train/support/scratch_folder.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

std::string BytesFault(const std::string& bytes) {
  return std::string(CheckDataFileBytes(bytes, "/d/x.jsonl").message());
}

TEST(DataFileBytesTest, OtherKindsAreNamed) {
  EXPECT_THAT(BytesFault("PAR1...."), HasSubstr("/d/x.jsonl is a Parquet file; let its name end"));
  EXPECT_THAT(BytesFault("ARROW1.."), HasSubstr("is an Arrow file"));
  EXPECT_THAT(BytesFault("\xFF\xFF\xFF\xFF...."), HasSubstr("is an Arrow file"));
  EXPECT_THAT(BytesFault("BZh9"), HasSubstr("bzip2"));
  EXPECT_THAT(BytesFault(std::string("\xFD"
                                     "7zXZ\0",
                                     6)),
              HasSubstr("packed with xz"));
  EXPECT_THAT(BytesFault("PK\x03\x04"), HasSubstr("zip archive"));
  EXPECT_THAT(BytesFault("\xFF\xFE{"), HasSubstr("is UTF-16"));
  EXPECT_THAT(BytesFault(std::string("{\0\"\0", 4)), HasSubstr("is UTF-16"));
  EXPECT_THAT(BytesFault(std::string("\0{\0\"", 4)), HasSubstr("iconv -f UTF-16"));
  EXPECT_THAT(BytesFault("version https://git-lfs.github.com/spec/v1\n"),
              HasSubstr("git lfs pull"));
}

TEST(DataFileBytesTest, RowsAndPackedRowsPass) {
  for (const std::string bytes :
       {"", "{", "[\n", "\xEF\xBB\xBF{", "\x1F\x8B\x08", "\x28\xB5\x2F\xFD"}) {
    EXPECT_EQ(BytesFault(bytes), "") << bytes;
  }
}

TEST(DataFileBytesTest, ATableHasTheBytesOfOne) {
  const auto fault = [](const std::string& bytes, const char* name) {
    return std::string(CheckDataFileBytes(bytes, name).message());
  };
  for (const char* bytes : {"PAR1....", "ARROW1..", "\xFF\xFF\xFF\xFF...."}) {
    EXPECT_EQ(fault(bytes, "/d/x.parquet"), "") << bytes;
  }
  EXPECT_THAT(fault("PARE", "x.parquet"), HasSubstr("x.parquet is encrypted Parquet"));
  EXPECT_THAT(fault("{\"prompt\"", "x.parquet"), HasSubstr("does not begin as Parquet"));
  EXPECT_THAT(fault("", "x.arrow"), HasSubstr("x.arrow is empty"));
  EXPECT_THAT(fault("version https://git-lfs.github.com/spec/v1\n", "x.parquet"),
              HasSubstr("git lfs pull"));
}

TEST(DataFileBytesTest, AFileThatIsAbsentIsForOthersToReport) {
  const train::ScratchFolder folder;
  EXPECT_TRUE(CheckDataFileBegin(folder / "none").ok());
  EXPECT_TRUE(CheckDataFileBegin(folder / "none.parquet").ok());
  EXPECT_FALSE(CheckDataFileBegin(folder.Put("x.jsonl", "PAR1")).ok());
}

}  // namespace
}  // namespace fpo
