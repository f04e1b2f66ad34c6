#include "common/files/data_file_name.h"

#include "gmock/gmock.h"

namespace fpo {
namespace {

using ::testing::HasSubstr;

TEST(DataFileName, RowsAreReadFromTheseEndings) {
  for (const char* name : {"a.jsonl", "a.json", "a.jsonl.gz", "a.json.gz"}) {
    EXPECT_TRUE(CheckDataFileName(name).ok()) << name;
  }
  for (const char* name : {"a.csv", "a.csv.gz", "a.gz", "a"}) {
    EXPECT_THAT(std::string(CheckDataFileName(name).message()), HasSubstr("unknown ending"));
  }
  EXPECT_THAT(std::string(CheckDataFileName("a.parquet").message()), HasSubstr("to_json"));
}

}  // namespace
}  // namespace fpo
