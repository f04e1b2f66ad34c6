#include "common/files/data_file_name.h"

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

TEST(DataFileName, RowsAreReadFromTheseEndings) {
  for (const char* name : {"a.jsonl", "a.json", "a.ndjson", "a.jsonl.gz", "a.json.gz",
                           "a.jsonl.zst", "a.ndjson.gz", "a.parquet", "a.arrow"}) {
    EXPECT_TRUE(CheckDataFileName(name).ok()) << name;
  }
  for (const char* name : {"a.tsv", "a.csv.gz", "a.gz", "a.zst", "a", "jsonl", "a.parquet.gz"}) {
    EXPECT_THAT(std::string(CheckDataFileName(name).message()), HasSubstr("unknown ending"));
  }
  EXPECT_THAT(std::string(CheckDataFileName("a.csv").message()), HasSubstr("to_json"));
  EXPECT_TRUE(IsTableFileName("a.parquet") && IsTableFileName("a.arrow"));
  EXPECT_FALSE(IsTableFileName("parquet") || IsTableFileName("a.json"));
  EXPECT_THAT(std::string(CheckDataFileName("a.jsonl.xz").message()),
              HasSubstr("pack it with zstd"));
}

}  // namespace
}  // namespace fpo
