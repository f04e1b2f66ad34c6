#include "common/files/data_file_name.h"

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

TEST(DataFileName, RowsAreReadFromTheseEndings) {
  for (const char* name :
       {"a.jsonl", "a.json", "a.ndjson", "a.jsonl.gz", "a.json.gz", "a.jsonl.zst", "a.ndjson.gz"}) {
    EXPECT_TRUE(CheckDataFileName(name).ok()) << name;
  }
  for (const char* name : {"a.tsv", "a.csv.gz", "a.gz", "a.zst", "a", "jsonl"}) {
    EXPECT_THAT(std::string(CheckDataFileName(name).message()), HasSubstr("unknown ending"));
  }
  for (const char* name : {"a.parquet", "a.arrow", "a.csv"}) {
    EXPECT_THAT(std::string(CheckDataFileName(name).message()), HasSubstr("to_json")) << name;
  }
  EXPECT_THAT(std::string(CheckDataFileName("a.jsonl.xz").message()),
              HasSubstr("pack it with zstd"));
}

}  // namespace
}  // namespace fpo
